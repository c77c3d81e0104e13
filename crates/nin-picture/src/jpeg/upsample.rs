//! Upsamples components to the size of the picture, bit-identical to libjpeg (`jdsample.c`).

// Vectorized code must be inlined; `nin_kernels::Vectorize` explains why.
#![allow(clippy::inline_always)]

use nin_kernels::{Vectorize, vectorized};

use super::frame::{Component, Frame};

/// Narrower components are not smoothed horizontally.
const SMALLEST_SMOOTH: usize = 3;

/// Reads rows of one component, upsampled to the size of the picture.
pub(super) struct Rows<'a> {
    samples: &'a [u8],
    component: &'a Component,
    /// Picture rows and columns per row and column of the component.
    scale: [usize; 2],
    width: usize,
    sums: Vec<u16>,
    row: Vec<u8>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(frame: &Frame, component: &'a Component, samples: &'a [u8]) -> Self {
        let scale = [0, 1].map(|side| frame.most_sampling[side] / component.sampling[side]);
        let width = frame.size[1];
        Self { samples, component, scale, width, sums: Vec::new(), row: Vec::new() }
    }

    /// Returns row `y` of the picture.
    pub(super) fn row(&mut self, y: usize) -> &[u8] {
        let is_smooth = self.component.size[1] >= SMALLEST_SMOOTH;
        match self.scale {
            [1, 1] => return &self.samples[y * self.component.stride()..][..self.width],
            [1, 2] if is_smooth => self.smooth_columns(y),
            [2, 1] => self.smooth_rows(y),
            [2, 2] if is_smooth => self.smooth_both(y),
            [down, across] => {
                let samples = source(self.samples, self.component, y / down);
                self.row.clear();
                self.row
                    .extend(samples.iter().flat_map(|&value| std::iter::repeat_n(value, across)));
            }
        }
        &self.row[..self.width]
    }

    /// Blends three quarters of the nearest sample with one quarter of the next nearest.
    fn smooth_columns(&mut self, y: usize) {
        let samples = source(self.samples, self.component, y);
        self.row.clear();
        let first = u16::from(samples[0]);
        let last = u16::from(samples[samples.len() - 1]);
        let mut before = first;
        let afters = samples[1..].iter().copied().map(u16::from).chain([last]);
        for (&value, after) in samples.iter().zip(afters) {
            let value = u16::from(value);
            self.row.push(((3 * value + before + 1) >> 2) as u8);
            self.row.push(((3 * value + after + 2) >> 2) as u8);
            before = value;
        }
    }

    fn smooth_rows(&mut self, y: usize) {
        let (near, far) = self.near_and_far(y);
        let bias = if y.is_multiple_of(2) { 1 } else { 2 };
        self.row.clear();
        self.row.extend(
            near.iter()
                .zip(far)
                .map(|(&near, &far)| ((3 * u16::from(near) + u16::from(far) + bias) >> 2) as u8),
        );
    }

    fn smooth_both(&mut self, y: usize) {
        let (near, far) = self.near_and_far(y);
        self.sums.resize(near.len(), 0);
        self.row.resize(2 * near.len(), 0);
        vectorized(SmoothBoth { near, far, sums: &mut self.sums, row: &mut self.row });
    }

    /// Returns the two component rows nearest to picture row `y`, nearest first, for a scale of 2.
    fn near_and_far(&self, y: usize) -> (&'a [u8], &'a [u8]) {
        let near = y / 2;
        let last = self.component.size[0] - 1;
        let far = if y.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(last) };
        (source(self.samples, self.component, near), source(self.samples, self.component, far))
    }
}

/// Blends the two nearest rows of a component into a row of twice the width.
struct SmoothBoth<'a> {
    near: &'a [u8],
    far: &'a [u8],
    /// A buffer as long as `near` and `far`.
    sums: &'a mut [u16],
    row: &'a mut [u8],
}

impl Vectorize for SmoothBoth<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { near, far, sums, row } = self;
        for ((sum, &near), &far) in sums.iter_mut().zip(near).zip(far) {
            *sum = 3 * u16::from(near) + u16::from(far);
        }
        let count = sums.len();
        row[0] = ((4 * sums[0] + 8) >> 4) as u8;
        row[2 * count - 1] = ((4 * sums[count - 1] + 7) >> 4) as u8;
        let pairs = row[1..2 * count - 1].as_chunks_mut::<2>().0;
        for ((pair, &left), &right) in pairs.iter_mut().zip(&sums[..count - 1]).zip(&sums[1..]) {
            pair[0] = ((3 * left + right + 7) >> 4) as u8;
            pair[1] = ((3 * right + left + 8) >> 4) as u8;
        }
    }
}

/// Returns a row of the component before upsampling.
fn source<'a>(samples: &'a [u8], component: &Component, row: usize) -> &'a [u8] {
    &samples[row * component.stride()..][..component.size[1]]
}
