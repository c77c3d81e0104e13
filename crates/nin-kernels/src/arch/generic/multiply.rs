//! Pixels times weights: the inner loop of every forward pass and every input gradient.

use std::ops::Range;

use super::epilogue::{Epilogue, GATE, RELU, RELU_OPERAND, STORE, apply};
use super::tiling::{balanced, tile_rows, tile_vectors, with_constant_rows};
use crate::arch::{Operation, Vector};
use crate::panels::PANEL;
use crate::shared::Output;

/// Bytes of packed weights that stay in L1 together with the pixels of a tile.
const WEIGHT_BLOCK_BYTES: usize = 24 * 1024;

/// `output[panel][y][x][lane] = bias[panel][lane] + sum over depth of pixel(y, x)[depth] * weight[panel][depth][lane]`.
///
/// The depth of a pixel is a list of segments of `segment_len` contiguous values. With channels in panels, a segment is
/// the 16 channels of the pixels under one row of the kernel: im2col without the column matrix.
#[derive(Debug)]
pub(crate) struct Multiply<'a> {
    /// The image, copied onto a canvas if it has padding.
    pub(crate) input: &'a [f32],
    /// The start of each segment, relative to the pixel.
    pub(crate) segments: &'a [usize],
    pub(crate) segment_len: usize,
    /// Stride in `input` between output rows.
    pub(crate) input_row: usize,
    /// Stride in `input` between output pixels.
    pub(crate) input_pixel: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Pixels per pass over the weights: as many as fit into L2.
    pub(crate) pixel_block: usize,
    /// Packed: blocks of one or two panels, `[depth][16 or 32]`.
    pub(crate) weight: &'a [f32],
    /// Stride between panels in `weight`.
    pub(crate) weight_panel: usize,
    /// Entries (of 16 or 32 values) to skip in each block.
    pub(crate) weight_entry: usize,
    /// `[panels][16]`.
    pub(crate) bias: &'a [f32],
    /// `[panels][height * width][16]`; in words where they are [operands](Epilogue::ReluOperand).
    pub(crate) output: Output<'a>,
    /// Stride between panels in `output`.
    pub(crate) output_panel: usize,
    pub(crate) panels: usize,
    pub(crate) epilogue: Epilogue<'a>,
}

impl Operation for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        self.check(V::PER_WORD);
        assert!(V::PER_WORD == 1 || self.input_pixel == dense::<V>());
        let stores_operand = matches!(self.epilogue, Epilogue::ReluOperand);
        let per_pass = segments_per_pass(V::LANES, self.segment_len);
        assert!(!stores_operand || self.segments.len() <= per_pass, "sums are not operands");
        let output = self.output.start();
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
    /// Checks everything that the pointers below rely on.
    fn check(&self, per_word: usize) {
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
        let stored = match self.epilogue {
            Epilogue::ReluOperand => output / per_word,
            _ => output,
        };
        assert!(stored <= self.output.len());
        if let Epilogue::Gate(gate) = self.epilogue {
            assert!(output / per_word <= gate.len());
        }
    }
}

/// Returns the number of segments whose packed weights stay in L1. Beyond it, sums are stored and loaded again.
pub(crate) fn segments_per_pass(lanes: usize, segment_len: usize) -> usize {
    let entry_bytes = tile_vectors(lanes) * lanes * size_of::<f32>();
    (WEIGHT_BLOCK_BYTES / entry_bytes / segment_len).max(1)
}

/// Multiplies one block of pixels.
///
/// # Safety
/// [`Multiply::check`] passed, `output` is that of `work`, the ranges lie within the image, and the CPU has `V`.
#[inline(always)]
unsafe fn block<V: Vector>(
    work: &Multiply,
    output: *mut f32,
    rows: Range<usize>,
    columns: Range<usize>,
) {
    let per_pass = segments_per_pass(V::LANES, work.segment_len);
    for (first, count) in balanced(work.segments.len(), per_pass) {
        let part = Part { first, count, rows: rows.clone(), columns: columns.clone() };
        let mut panel = 0;
        while panel < work.panels {
            let weight = panel * work.weight_panel;
            // SAFETY: as the caller's; each reads a packed block of as many panels as it is wide.
            unsafe {
                if V::LANES == 4 {
                    pixels::<V, 4>(work, output, &part, panel, weight);
                    panel += 1;
                } else if V::LANES == 8 {
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

/// Some segments of a block of pixels.
struct Part {
    first: usize,
    count: usize,
    rows: Range<usize>,
    columns: Range<usize>,
}

/// Multiplies one block of weights and one block of pixels.
///
/// # Safety
/// As [`block`]; a packed block of `N` vectors starts at `weight`.
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
                let stores_operand = matches!(work.epilogue, Epilogue::ReluOperand);
                let output = output.add(if stores_operand { at / V::PER_WORD } else { at });
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
                    gate: if let Epilogue::Gate(gate) = work.epilogue {
                        gate.as_ptr().add(at / V::PER_WORD)
                    } else {
                        output
                    },
                }
            };
            let epilogue = match work.epilogue {
                Epilogue::Relu if is_last => RELU,
                Epilogue::Gate(_) if is_last => GATE,
                Epilogue::ReluOperand => RELU_OPERAND,
                _ => STORE,
            };
            // SAFETY: as the caller's.
            unsafe {
                // Words are always dense, which `run` asserts: no other variant is compiled for them.
                if V::PER_WORD == 2 || work.input_pixel == dense::<V>() {
                    any_end::<V, N, true>(epilogue, count, &tile);
                } else {
                    any_end::<V, N, false>(epilogue, count, &tile);
                }
            }
        }
    }
}

/// Calls [`any_rows`] with the epilogue as a constant.
///
/// # Safety
/// As [`tile_products`] for this many rows.
#[inline(always)]
unsafe fn any_end<V: Vector, const N: usize, const DENSE: bool>(
    epilogue: u8,
    rows: usize,
    tile: &Tile,
) {
    // SAFETY: as the caller's.
    unsafe {
        match epilogue {
            GATE => any_rows::<V, N, GATE, DENSE>(rows, tile),
            RELU_OPERAND if V::PER_WORD > 1 => any_rows::<V, N, RELU_OPERAND, DENSE>(rows, tile),
            // Where operands are floats, they are what is stored anyway.
            RELU | RELU_OPERAND => any_rows::<V, N, RELU, DENSE>(rows, tile),
            _ => any_rows::<V, N, STORE, DENSE>(rows, tile),
        }
    }
}

/// Calls [`tile_products`] with the rows as a constant.
///
/// # Safety
/// As [`tile_products`] for this many rows.
#[inline(always)]
unsafe fn any_rows<V: Vector, const N: usize, const EPILOGUE: u8, const DENSE: bool>(
    rows: usize,
    tile: &Tile,
) {
    // SAFETY: as the caller's.
    unsafe {
        with_constant_rows!(V::LANES, rows, |ROWS| tile_products::<V, ROWS, N, EPILOGUE, DENSE>(
            tile
        ));
    }
}

/// Words between adjacent pixels of a panel.
const fn dense<V: Vector>() -> usize {
    PANEL / V::PER_WORD
}

/// The operands of a register tile.
struct Tile<'a> {
    input: *const f32,
    input_pixel: usize,
    segments: &'a [usize],
    segment_len: usize,
    weight: *const f32,
    /// The initial sums: the bias, or the sums over the previous depths.
    start: *const f32,
    start_pixel: usize,
    start_panel: usize,
    output: *mut f32,
    output_panel: usize,
    gate: *const f32,
}

/// Computes `ROWS` pixels by `N` vectors of channels. `DENSE` is set where consecutive pixels are adjacent in memory, as
/// they nearly always are. The epilogue is a constant: a branch on it made the compiler spill every accumulator at every
/// step.
///
/// # Safety
/// The pointers are valid for `ROWS` pixels and `N` vectors, `weight` for the whole depth, and the CPU has `V`.
#[inline(always)]
unsafe fn tile_products<
    V: Vector,
    const ROWS: usize,
    const N: usize,
    const EPILOGUE: u8,
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
            let mut first = 0;
            if V::HAS_LANE_FACTORS {
                while first + 4 <= tile.segment_len {
                    four_depths(&mut sums, input.add(first), input_pixel, weight);
                    first += 4;
                    weight = weight.add(4 * N * V::LANES);
                }
            }
            for k in first..tile.segment_len {
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
        let stored_pixel = if EPILOGUE == RELU_OPERAND { PANEL / V::PER_WORD } else { PANEL };
        // Once for all rows: with the arithmetic in the loop, the compiler did not unroll it, and kept the sums in memory.
        let (mut stored, mut gates) = ([tile.output; N], [tile.gate; N]);
        for n in 0..N {
            let (panel, lane) = (n * V::LANES / PANEL, n * V::LANES % PANEL);
            let at = panel * tile.output_panel + lane;
            let word = at / V::PER_WORD;
            stored[n] = tile.output.add(if EPILOGUE == RELU_OPERAND { word } else { at });
            gates[n] = tile.gate.wrapping_add(word);
        }
        for row in 0..ROWS {
            for n in 0..N {
                let gate = gates[n].wrapping_add(row * PANEL / V::PER_WORD);
                let value = apply::<V, EPILOGUE>(sums[row][n], gate);
                let to = stored[n].add(row * stored_pixel);
                if EPILOGUE == RELU_OPERAND { value.store_operand(to) } else { value.store(to) }
            }
        }
    }
}

/// Adds the products of four depths to a tile of sums: one register of factors for each pixel.
///
/// # Safety
/// As [`tile_products`], for four depths. A vector has four lanes.
#[inline(always)]
unsafe fn four_depths<V: Vector, const ROWS: usize, const N: usize>(
    sums: &mut [[V; N]; ROWS],
    input: *const f32,
    input_pixel: usize,
    weight: *const f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut factors = [V::splat(0.0); ROWS];
        for row in 0..ROWS {
            factors[row] = V::load(input.add(row * input_pixel));
        }
        one_depth::<V, ROWS, N, 0>(sums, &factors, weight);
        one_depth::<V, ROWS, N, 1>(sums, &factors, weight.add(N * V::LANES));
        one_depth::<V, ROWS, N, 2>(sums, &factors, weight.add(2 * N * V::LANES));
        one_depth::<V, ROWS, N, 3>(sums, &factors, weight.add(3 * N * V::LANES));
    }
}

/// Adds the products of one depth, whose factors are in one lane of each register.
///
/// # Safety
/// As [`tile_products`], for one depth.
#[inline(always)]
unsafe fn one_depth<V: Vector, const ROWS: usize, const N: usize, const LANE: i32>(
    sums: &mut [[V; N]; ROWS],
    factors: &[V; ROWS],
    weight: *const f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for n in 0..N {
            let weights = V::load(weight.add(n * V::LANES));
            for row in 0..ROWS {
                sums[row][n] = weights.accumulate_lane::<LANE>(factors[row], sums[row][n]);
            }
        }
    }
}
