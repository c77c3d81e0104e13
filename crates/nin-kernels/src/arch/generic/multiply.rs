//! Pixels times weights: the inner loop of every forward convolution and of every input gradient.

use std::ops::Range;

use super::Vector;
use super::tiling::{TILE_VECTORS, balanced, tile_rows, with_constant_rows};
use crate::arch::Operation;
use crate::panels::PANEL;

/// Bytes of packed weights that stay in the first-level cache beside a tile's pixels.
const WEIGHT_BLOCK_BYTES: usize = 24 * 1024;

/// What happens to the sums before they are stored.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End<'a> {
    /// Nothing.
    Store,
    /// ReLU.
    Relu,
    /// Zero wherever this slice (laid out as the output) is not positive.
    Gate(&'a [f32]),
}

/// `output[panel][y][x][lane] = bias[panel][lane] + sum over depth of pixel(y, x)[depth] * weight[panel][depth][lane]`.
///
/// A pixel's depth is a list of segments, each `segment_len` values that follow one another in memory: with channels in
/// panels the 16 channels of the pixels under one row of the kernel, so that no column matrix is ever built.
#[derive(Debug)]
pub(crate) struct Multiply<'a> {
    /// Image, or canvas with its padding in place.
    pub(crate) input: &'a [f32],
    /// Where each segment starts, relative to the pixel's start.
    pub(crate) segments: &'a [usize],
    pub(crate) segment_len: usize,
    /// From one output row to the next in `input`.
    pub(crate) input_row: usize,
    /// From one output pixel to the next in `input`.
    pub(crate) input_pixel: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Pixels after which the weights are walked again: as many as the second-level cache holds.
    pub(crate) pixel_block: usize,
    /// Packed: blocks of one or two panels, `[depth][16 or 32]`.
    pub(crate) weight: &'a [f32],
    /// From one panel to the next in `weight`.
    pub(crate) weight_panel: usize,
    /// Entries (of 16 or 32 values) of each block to pass over.
    pub(crate) weight_entry: usize,
    /// Panels of 16, zeros where there is none.
    pub(crate) bias: &'a [f32],
    /// `[panels][height * width][16]`.
    pub(crate) output: &'a mut [f32],
    /// From one panel to the next in `output`.
    pub(crate) output_panel: usize,
    pub(crate) panels: usize,
    pub(crate) end: End<'a>,
}

impl Operation for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        self.check();
        assert!(V::PER_WORD == 1 || self.input_pixel == dense::<V>());
        let output = self.output.as_mut_ptr();
        let (rows, columns) = if self.height == 1 {
            (1, self.pixel_block.next_multiple_of(tile_rows::<V>()))
        } else {
            ((self.pixel_block / self.width).max(1), self.width)
        };
        for (y, block_height) in balanced(self.height, rows) {
            for (x, block_width) in balanced(self.width, columns) {
                // SAFETY: `check`, and the features by the caller.
                unsafe { block::<V>(&self, output, y..y + block_height, x..x + block_width) }
            }
        }
    }
}

impl Multiply<'_> {
    /// All that the pointers below rely on.
    fn check(&self) {
        let pixels = self.height * self.width;
        assert!(pixels > 0 && self.panels > 0 && self.segment_len > 0 && !self.segments.is_empty());
        let depth = self.segments.len() * self.segment_len;
        let last_segment = self.segments.iter().copied().max().unwrap_or(0);
        let last_pixel = (self.height - 1) * self.input_row + (self.width - 1) * self.input_pixel;
        assert!(last_pixel + last_segment + self.segment_len <= self.input.len());
        assert!((self.weight_entry + depth) * PANEL <= self.weight_panel);
        assert!(self.panels * self.weight_panel <= self.weight.len());
        assert!(self.panels * PANEL <= self.bias.len());
        assert!(PANEL * pixels <= self.output_panel);
        let output = (self.panels - 1) * self.output_panel + PANEL * pixels;
        assert!(output <= self.output.len());
        if let End::Gate(gate) = self.end {
            assert!(output <= gate.len());
        }
    }
}

/// One block of pixels.
///
/// # Safety
/// [`Multiply::check`], `output` is `work`'s, ranges within the image, the CPU has `V`.
#[inline(always)]
unsafe fn block<V: Vector>(
    work: &Multiply,
    output: *mut f32,
    rows: Range<usize>,
    columns: Range<usize>,
) {
    let per_block =
        WEIGHT_BLOCK_BYTES / (TILE_VECTORS * V::LANES * size_of::<f32>()) / work.segment_len;
    for (first, count) in balanced(work.segments.len(), per_block.max(1)) {
        let part = Part { first, count, rows: rows.clone(), columns: columns.clone() };
        let mut panel = 0;
        while panel < work.panels {
            let weight = panel * work.weight_panel;
            // SAFETY: as the caller's; both read `weight` from a block of as many panels as they are wide.
            unsafe {
                if V::LANES == 8 {
                    pixels::<V, 2>(work, output, &part, panel, weight);
                    panel += 1;
                } else if panel + 1 < work.panels {
                    pixels::<V, 2>(work, output, &part, panel, weight);
                    panel += 2;
                } else {
                    pixels::<V, 1>(work, output, &part, panel, weight);
                    panel += 1;
                }
            }
        }
    }
}

/// Some segments of some pixels.
struct Part {
    first: usize,
    count: usize,
    rows: Range<usize>,
    columns: Range<usize>,
}

/// One block of weights against a block of pixels.
///
/// # Safety
/// As [`block`]; `weight` is where a packed block of `N` vectors starts.
#[inline(always)]
unsafe fn pixels<V: Vector, const N: usize>(
    work: &Multiply,
    output: *mut f32,
    part: &Part,
    panel: usize,
    weight: usize,
) {
    let segments = &work.segments[part.first..part.first + part.count];
    let skipped = (work.weight_entry + part.first * work.segment_len) * N * V::LANES;
    let plane = work.output_panel;
    let is_last = part.first + part.count == work.segments.len();
    for y in part.rows.clone() {
        for (offset, count) in balanced(part.columns.len(), tile_rows::<V>()) {
            let x = part.columns.start + offset;
            let at = panel * plane + (y * work.width + x) * PANEL;
            // SAFETY: `Multiply::check` bounds each of these.
            let tile = unsafe {
                let output = output.add(at);
                Tile {
                    input: work.input.as_ptr().add(y * work.input_row + x * work.input_pixel),
                    input_pixel: work.input_pixel,
                    segments,
                    segment_len: work.segment_len,
                    weight: work.weight.as_ptr().add(weight + skipped),
                    start: if part.first == 0 {
                        work.bias.as_ptr().add(panel * PANEL)
                    } else {
                        output
                    },
                    start_pixel: if part.first == 0 { 0 } else { PANEL },
                    start_panel: if part.first == 0 { PANEL } else { plane },
                    output,
                    output_panel: plane,
                    gate: if let End::Gate(gate) = work.end {
                        gate.as_ptr().add(at)
                    } else {
                        output
                    },
                }
            };
            let end = match work.end {
                End::Relu if is_last => RELU,
                End::Gate(_) if is_last => GATE,
                _ => STORE,
            };
            // SAFETY: as the caller's.
            unsafe {
                // Words lie densely always (`run` asserts it): no code for anything else.
                if V::PER_WORD == 2 || work.input_pixel == dense::<V>() {
                    any_end::<V, N, true>(end, count, &tile);
                } else {
                    any_end::<V, N, false>(end, count, &tile);
                }
            }
        }
    }
}

/// [`any_rows`] with its end as a constant.
///
/// # Safety
/// As [`tile_products`] of so many rows.
#[inline(always)]
unsafe fn any_end<V: Vector, const N: usize, const DENSE: bool>(end: u8, rows: usize, tile: &Tile) {
    // SAFETY: as the caller's.
    unsafe {
        match end {
            RELU => any_rows::<V, N, RELU, DENSE>(rows, tile),
            GATE => any_rows::<V, N, GATE, DENSE>(rows, tile),
            _ => any_rows::<V, N, STORE, DENSE>(rows, tile),
        }
    }
}

/// [`tile_products`] with its rows as a constant.
///
/// # Safety
/// As [`tile_products`] of so many rows.
#[inline(always)]
unsafe fn any_rows<V: Vector, const N: usize, const END: u8, const DENSE: bool>(
    rows: usize,
    tile: &Tile,
) {
    // SAFETY: as the caller's.
    unsafe {
        with_constant_rows!(V::LANES, rows, |ROWS| tile_products::<V, ROWS, N, END, DENSE>(tile));
    }
}

/// Words from one pixel of a panel to the next.
const fn dense<V: Vector>() -> usize {
    PANEL / V::PER_WORD
}

/// [`End`] as a constant.
pub(super) const STORE: u8 = 0;
pub(super) const RELU: u8 = 1;
pub(super) const GATE: u8 = 2;

/// A sum as it is stored; `gate` is looked at where `END` is [`GATE`].
///
/// # Safety
/// The CPU has `V`, and `gate` is good for a vector where it is looked at.
#[inline(always)]
pub(super) unsafe fn ended<V: Vector, const END: u8>(sum: V, gate: *const f32) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        match END {
            RELU => sum.relu(),
            GATE => sum.gated_by(V::load(gate)),
            _ => sum,
        }
    }
}

/// Where a tile's operands lie.
struct Tile<'a> {
    input: *const f32,
    input_pixel: usize,
    segments: &'a [usize],
    segment_len: usize,
    weight: *const f32,
    /// What the sums start from: the bias, or the sums of the depth before.
    start: *const f32,
    start_pixel: usize,
    start_panel: usize,
    output: *mut f32,
    output_panel: usize,
    gate: *const f32,
}

/// `ROWS` pixels by `N` vectors of channels; `DENSE` where one pixel's panel follows the other's, as nearly everywhere. The end is a constant: branched on at run time it made the compiler spill
/// every accumulator at every step.
///
/// # Safety
/// The pointers are good for `ROWS` pixels and `N` vectors, `weight` for the whole depth; the CPU has `V`.
#[inline(always)]
unsafe fn tile_products<
    V: Vector,
    const ROWS: usize,
    const N: usize,
    const END: u8,
    const DENSE: bool,
>(
    tile: &Tile,
) {
    // SAFETY: the caller's promise covers every access.
    unsafe {
        let input_pixel = if DENSE { dense::<V>() } else { tile.input_pixel };
        let mut sums = [[V::splat(0.0); N]; ROWS];
        for row in 0..ROWS {
            for n in 0..N {
                let (panel, lane) = (n * V::LANES / PANEL, n * V::LANES % PANEL);
                sums[row][n] = V::load(
                    tile.start.add(row * tile.start_pixel + panel * tile.start_panel + lane),
                );
            }
        }
        let mut weight = tile.weight;
        for &segment in tile.segments {
            let input = tile.input.add(segment);
            for k in 0..tile.segment_len {
                let mut weights = [V::splat(0.0); N];
                for n in 0..N {
                    weights[n] = V::load(weight.add(n * V::LANES));
                }
                for row in 0..ROWS {
                    let value = V::splat(*input.add(row * input_pixel + k));
                    for n in 0..N {
                        sums[row][n] = value.accumulate(weights[n], sums[row][n]);
                    }
                }
                weight = weight.add(N * V::LANES);
            }
        }
        for row in 0..ROWS {
            for n in 0..N {
                let (panel, lane) = (n * V::LANES / PANEL, n * V::LANES % PANEL);
                let at = row * PANEL + panel * tile.output_panel + lane;
                ended::<V, END>(sums[row][n], tile.gate.add(at)).store(tile.output.add(at));
            }
        }
    }
}
