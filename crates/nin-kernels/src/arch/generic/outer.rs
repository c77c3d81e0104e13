//! Outer products of pixels and gradients, summed over pixels: the inner loop of every weight gradient.

use std::ops::Range;

use super::tiling::{balanced, tile_rows, with_constant_rows};
use crate::arch::{Operation, Vector};
use crate::panels::PANEL;

/// Pixels whose inputs and gradients stay in L1 while every tile of a block reads them: a sum is formed in pieces of as many.
pub(crate) const OUTER_PIXELS: usize = 192;

/// `sums[panel][depth][lane] += sum over (y, x) of pixel(y, x)[depth] * gradient[panel][y][x][lane]`, with the segments of
/// [`Multiply`](super::Multiply), and sums laid out as its packed weights.
#[derive(Debug)]
pub(crate) struct Outer<'a> {
    pub(crate) input: &'a [f32],
    pub(crate) segments: &'a [usize],
    pub(crate) segment_len: usize,
    pub(crate) input_row: usize,
    pub(crate) input_pixel: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// `[panels][height * width][16]`.
    pub(crate) gradient: &'a [f32],
    /// Stride between panels in `gradient`.
    pub(crate) gradient_panel: usize,
    pub(crate) panels: usize,
    pub(crate) sums: &'a mut [f32],
    /// `[panels][16]`: the sums of the gradient alone, for the bias; empty to skip them.
    pub(crate) bias_sums: &'a mut [f32],
    /// Overwrites `sums` instead of adding to it.
    pub(crate) overwrite: bool,
}

impl Operation for Outer<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        self.check();
        // Before the pointers are taken: reading the slice would invalidate its pointer.
        let with_bias = !self.bias_sums.is_empty();
        let (sums, bias_sums) = (self.sums.as_mut_ptr(), self.bias_sums.as_mut_ptr());
        let (rows, columns) = if self.height == 1 {
            (1, OUTER_PIXELS)
        } else {
            ((OUTER_PIXELS / self.width).max(1), self.width)
        };
        for (y, block_height) in balanced(self.height, rows) {
            for (x, block_width) in balanced(self.width, columns) {
                let (rows, columns) = (y..y + block_height, x..x + block_width);
                // SAFETY: `check`, and the features by the caller.
                unsafe {
                    if with_bias {
                        for panel in 0..self.panels {
                            add_pixels::<V>(
                                &self,
                                bias_sums.add(panel * PANEL),
                                &rows,
                                &columns,
                                panel,
                            );
                        }
                    }
                    block::<V>(&self, sums, &rows, &columns);
                }
            }
        }
    }
}

impl Outer<'_> {
    /// Checks everything that the pointers below rely on.
    fn check(&self) {
        let pixels = self.height * self.width;
        assert!(pixels > 0 && self.panels > 0 && self.segment_len > 0 && !self.segments.is_empty());
        let depth = self.segments.len() * self.segment_len;
        let last_segment = self.segments.iter().copied().max().unwrap_or(0);
        let last_pixel = (self.height - 1) * self.input_row + (self.width - 1) * self.input_pixel;
        assert!(last_pixel + last_segment + self.segment_len <= self.input.len());
        assert!((self.panels - 1) * self.gradient_panel + PANEL * pixels <= self.gradient.len());
        assert!(self.panels * PANEL * depth <= self.sums.len());
        assert!(self.bias_sums.is_empty() || self.panels * PANEL <= self.bias_sums.len());
    }
}

/// Sums the gradient of one panel over a block of pixels, and so loads it into the cache for the first tile.
///
/// # Safety
/// As [`block`]; `sums` is valid for a panel.
#[inline(always)]
unsafe fn add_pixels<V: Vector>(
    work: &Outer,
    sums: *mut f32,
    rows: &Range<usize>,
    columns: &Range<usize>,
    panel: usize,
) {
    // SAFETY: `Outer::check` bounds every access.
    unsafe {
        for lane in (0..PANEL).step_by(V::LANES) {
            let mut sum = V::splat(0.0);
            for y in rows.clone() {
                for x in columns.clone() {
                    let at = panel * work.gradient_panel + (y * work.width + x) * PANEL + lane;
                    sum = sum.add(V::load(work.gradient.as_ptr().add(at)));
                }
            }
            V::load(sums.add(lane)).add(sum).store(sums.add(lane));
        }
    }
}

/// Sums over one block of pixels.
///
/// # Safety
/// [`Outer::check`] passed, `sums` is that of `work`, the ranges lie within the image, and the CPU has `V`.
#[inline(always)]
unsafe fn block<V: Vector>(
    work: &Outer,
    sums: *mut f32,
    rows: &Range<usize>,
    columns: &Range<usize>,
) {
    let mut panel = 0;
    while panel < work.panels {
        // SAFETY: as the caller's.
        unsafe {
            if V::LANES == 4 {
                depths::<V, 4>(work, sums, rows, columns, panel);
                panel += 1;
            } else if V::LANES == 8 {
                depths::<V, 2>(work, sums, rows, columns, panel);
                panel += 1;
            } else if panel + 1 < work.panels {
                depths::<V, 2>(work, sums, rows, columns, panel);
                panel += 2;
            } else {
                depths::<V, 1>(work, sums, rows, columns, panel);
                panel += 1;
            }
        }
    }
}

/// Sums the products of the whole depth and `N` vectors of channels.
///
/// # Safety
/// As [`block`].
#[inline(always)]
unsafe fn depths<V: Vector, const N: usize>(
    work: &Outer,
    sums: *mut f32,
    rows: &Range<usize>,
    columns: &Range<usize>,
    panel: usize,
) {
    let plane = work.gradient_panel;
    let depth = work.segments.len() * work.segment_len;
    let start = rows.start * work.input_row + columns.start * work.input_pixel;
    for (index, &segment) in work.segments.iter().enumerate() {
        for (offset, count) in balanced(work.segment_len, tile_rows::<V>()) {
            let at = (index * work.segment_len + offset) * N * V::LANES;
            // SAFETY: `Outer::check` bounds each of these.
            let tile = unsafe {
                Tile {
                    input: work.input.as_ptr().add(start + segment + offset),
                    input_row: work.input_row,
                    input_pixel: work.input_pixel,
                    gradient: work
                        .gradient
                        .as_ptr()
                        .add(panel * plane + (rows.start * work.width + columns.start) * PANEL),
                    gradient_row: work.width * PANEL,
                    gradient_panel: plane,
                    height: rows.len(),
                    width: columns.len(),
                    sums: sums.add(panel * PANEL * depth + at),
                    overwrite: work.overwrite && rows.start == 0 && columns.start == 0,
                }
            };
            // SAFETY: as the caller's.
            unsafe { with_constant_rows!(V::LANES, count, |ROWS| tile_sums::<V, ROWS, N>(&tile)) }
        }
    }
}

/// The operands of a register tile.
struct Tile {
    input: *const f32,
    input_row: usize,
    input_pixel: usize,
    gradient: *const f32,
    gradient_row: usize,
    gradient_panel: usize,
    height: usize,
    width: usize,
    sums: *mut f32,
    overwrite: bool,
}

/// Computes `ROWS` depths by `N` vectors of channels. The sum over the block is formed in registers and then added, which
/// rounds less than one long sum.
///
/// # Safety
/// The pointers are valid for `ROWS` depths and `N` vectors over the block, and the CPU has `V`.
#[inline(always)]
unsafe fn tile_sums<V: Vector, const ROWS: usize, const N: usize>(tile: &Tile) {
    // SAFETY: the caller's promise covers every access.
    unsafe {
        let mut sums = [[V::splat(0.0); N]; ROWS];
        for y in 0..tile.height {
            let mut input = tile.input.add(y * tile.input_row);
            let mut gradient = tile.gradient.add(y * tile.gradient_row);
            for _ in 0..tile.width {
                let mut gradients = [V::splat(0.0); N];
                for n in 0..N {
                    let (panel, lane) = (n * V::LANES / PANEL, n * V::LANES % PANEL);
                    gradients[n] = V::load(gradient.add(panel * tile.gradient_panel + lane));
                }
                if V::HAS_LANE_FACTORS && ROWS >= 4 {
                    by_lanes(&mut sums, input, &gradients);
                } else {
                    for row in 0..ROWS {
                        let value = V::splat(*input.add(row));
                        for n in 0..N {
                            sums[row][n] = value.accumulate(gradients[n], sums[row][n]);
                        }
                    }
                }
                // After the last step these may point past the end; nothing is read there.
                input = input.wrapping_add(tile.input_pixel);
                gradient = gradient.wrapping_add(PANEL);
            }
        }
        for row in 0..ROWS {
            for n in 0..N {
                let at = tile.sums.add((row * N + n) * V::LANES);
                let sum = if tile.overwrite { sums[row][n] } else { V::load(at).add(sums[row][n]) };
                sum.store(at);
            }
        }
    }
}

/// Adds the products of one pixel to a tile of four to eight depths, which are adjacent: registers of four factors, the
/// second of which ends where the depths end.
///
/// # Safety
/// `input` is valid for `ROWS` values, of which there are four to eight. A vector has four lanes, and the CPU has `V`.
#[inline(always)]
unsafe fn by_lanes<V: Vector, const ROWS: usize, const N: usize>(
    sums: &mut [[V; N]; ROWS],
    input: *const f32,
    gradients: &[V; N],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let factors = [V::load(input), V::load(input.add(ROWS - 4))];
        for row in 0..ROWS {
            let (factors, lane) =
                if row < 4 { (factors[0], row) } else { (factors[1], row + 4 - ROWS) };
            for n in 0..N {
                let sum = &mut sums[row][n];
                *sum = match lane {
                    0 => gradients[n].accumulate_lane::<0>(factors, *sum),
                    1 => gradients[n].accumulate_lane::<1>(factors, *sum),
                    2 => gradients[n].accumulate_lane::<2>(factors, *sum),
                    _ => gradients[n].accumulate_lane::<3>(factors, *sum),
                };
            }
        }
    }
}
