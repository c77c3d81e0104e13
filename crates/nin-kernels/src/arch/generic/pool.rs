//! Max pooling of one panel of one image, and its gradient. The loops over sixteen lanes are plain Rust, which the
//! compiler vectorizes.

use std::ops::Range;

use crate::arch::{Operation, Vector};
use crate::geometry::PoolGeometry;
use crate::panels::PANEL;

type Lanes<T> = [T; PANEL];

/// Max pooling of one panel.
pub(crate) struct PoolForward<'a> {
    pub(crate) geometry: &'a PoolGeometry,
    pub(crate) input: &'a [f32],
    pub(crate) output: &'a mut [f32],
    /// The position of each maximum in its window; empty to skip them.
    pub(crate) positions: &'a mut [u8],
}

/// The input gradient of one panel.
pub(crate) struct PoolBackward<'a> {
    pub(crate) geometry: &'a PoolGeometry,
    pub(crate) positions: &'a [u8],
    pub(crate) gradient: &'a [f32],
    /// The output of the pooling, to mask the ReLU before it too; otherwise empty.
    pub(crate) gate: &'a [f32],
    pub(crate) grad_input: &'a mut [f32],
}

/// Returns the taps of a window along one axis that lie in the image, and the pixel of the first.
#[inline(always)]
fn taps(geometry: &PoolGeometry, axis: usize, index: usize) -> (Range<usize>, usize) {
    let start = index * geometry.stride[axis];
    let first = geometry.padding[axis].saturating_sub(start);
    let end = (geometry.input[axis] + geometry.padding[axis])
        .saturating_sub(start)
        .min(geometry.window[axis]);
    (first..end.max(first), (start + first).saturating_sub(geometry.padding[axis]))
}

#[inline(always)]
fn lanes<T>(values: &[T], pixel: usize) -> &Lanes<T> {
    let Some(lanes) = values[pixel * PANEL..].first_chunk() else { unreachable!("whole pixels") };
    lanes
}

#[inline(always)]
fn lanes_mut<T>(values: &mut [T], pixel: usize) -> &mut Lanes<T> {
    let Some(lanes) = values[pixel * PANEL..].first_chunk_mut() else {
        unreachable!("whole pixels")
    };
    lanes
}

/// Max pooling of one panel of bytes.
pub(crate) struct PoolBytes<'a> {
    pub(crate) geometry: &'a PoolGeometry,
    pub(crate) input: &'a [u8],
    pub(crate) output: &'a mut [u8],
}

impl Operation for PoolBytes<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let width = self.geometry.input[1];
        let mut pixel = 0;
        for y in 0..self.geometry.output[0] {
            let (rows, top) = taps(self.geometry, 0, y);
            for x in 0..self.geometry.output[1] {
                let (columns, left) = taps(self.geometry, 1, x);
                let mut best = [0; PANEL];
                for row in 0..rows.len() {
                    for column in 0..columns.len() {
                        let values = lanes(self.input, (top + row) * width + left + column);
                        for lane in 0..PANEL {
                            best[lane] = best[lane].max(values[lane]);
                        }
                    }
                }
                *lanes_mut(self.output, pixel) = best;
                pixel += 1;
            }
        }
    }
}

impl Operation for PoolForward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        if self.positions.is_empty() {
            // SAFETY: the features, by the caller.
            return unsafe { maxima::<V>(self.geometry, self.input, self.output) };
        }
        let width = self.geometry.input[1];
        let mut pixel = 0;
        for y in 0..self.geometry.output[0] {
            let (rows, top) = taps(self.geometry, 0, y);
            for x in 0..self.geometry.output[1] {
                let (columns, left) = taps(self.geometry, 1, x);
                let mut best = *lanes(self.input, top * width + left);
                let first = rows.start * self.geometry.window[1] + columns.start;
                let mut positions = [first as u32; PANEL];
                for (row, ky) in rows.clone().enumerate() {
                    for (column, kx) in columns.clone().enumerate() {
                        let values = lanes(self.input, (top + row) * width + left + column);
                        let position = (ky * self.geometry.window[1] + kx) as u32;
                        for lane in 0..PANEL {
                            let value = values[lane];
                            let wins = (value > best[lane]) | value.is_nan();
                            best[lane] = if wins { value } else { best[lane] };
                            positions[lane] = if wins { position } else { positions[lane] };
                        }
                    }
                }
                *lanes_mut(self.output, pixel) = best;
                *lanes_mut(self.positions, pixel) = positions.map(|position| position as u8);
                pixel += 1;
            }
        }
    }
}

/// Writes the maxima alone.
///
/// # Safety
/// The CPU has `V`.
#[inline(always)]
unsafe fn maxima<V: Vector>(geometry: &PoolGeometry, input: &[f32], output: &mut [f32]) {
    let width = geometry.input[1];
    let mut pixels = output.chunks_exact_mut(PANEL);
    for y in 0..geometry.output[0] {
        let (rows, top) = taps(geometry, 0, y);
        for x in 0..geometry.output[1] {
            let (columns, left) = taps(geometry, 1, x);
            let Some(output) = pixels.next() else { unreachable!("whole pixels") };
            let row_at = |row: usize| ((top + row) * width + left) * PANEL;
            let last = row_at(rows.len().max(1) - 1) + columns.len().max(1) * PANEL;
            assert!(last <= input.len());
            for lane in (0..PANEL).step_by(V::LANES) {
                // SAFETY: the assertion bounds the last tap, and the chunk the output; the features by the caller.
                unsafe {
                    let mut best = V::load(input.as_ptr().add(row_at(0) + lane));
                    for row in 0..rows.len() {
                        let values = input.as_ptr().add(row_at(row) + lane);
                        for column in 0..columns.len() {
                            best = V::load(values.add(column * PANEL)).max(best);
                        }
                    }
                    best.store(output.as_mut_ptr().add(lane));
                }
            }
        }
    }
}

impl Operation for PoolBackward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        self.grad_input.fill(0.0);
        let width = self.geometry.input[1];
        let mut pixel = 0;
        for y in 0..self.geometry.output[0] {
            let (rows, top) = taps(self.geometry, 0, y);
            for x in 0..self.geometry.output[1] {
                let (columns, left) = taps(self.geometry, 1, x);
                let positions = lanes(self.positions, pixel).map(u32::from);
                let mut gradient = *lanes(self.gradient, pixel);
                if !self.gate.is_empty() {
                    let gate = lanes(self.gate, pixel);
                    for lane in 0..PANEL {
                        gradient[lane] = if gate[lane] <= 0.0 { 0.0 } else { gradient[lane] };
                    }
                }
                for (row, ky) in rows.clone().enumerate() {
                    for (column, kx) in columns.clone().enumerate() {
                        let position = (ky * self.geometry.window[1] + kx) as u32;
                        let sums = lanes_mut(self.grad_input, (top + row) * width + left + column);
                        for lane in 0..PANEL {
                            sums[lane] +=
                                if positions[lane] == position { gradient[lane] } else { 0.0 };
                        }
                    }
                }
                pixel += 1;
            }
        }
    }
}
