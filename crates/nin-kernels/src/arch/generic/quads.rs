//! Pixels of bytes times weights of bytes: the int8 form of [`Multiply`](super::Multiply).

use std::ops::Range;

use super::tiling::{balanced, with_constant_rows};
use crate::arch::{Int8, Int8Operation};
use crate::panels::PANEL;
use crate::shared::Output;

/// Words of a pixel in a panel: sixteen bytes.
pub(crate) const QUADS: usize = PANEL / 4;

/// `sum[panel][y][x][lane] = sum over depth of pixel(y, x)[depth] * weight[panel][depth][lane]`, scaled, with bias and ReLU,
/// as bytes or as `f32`.
///
/// The depth of a pixel is a list of segments, as in [`Multiply`](super::Multiply), counted in words of four channels. A sum
/// stays in its register for the whole depth.
#[derive(Debug)]
pub(crate) struct MultiplyQuads<'a> {
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
    /// Packed: blocks of one or two panels, `[depth][16 or 32]` words.
    pub(crate) weight: &'a [f32],
    /// Stride between panels in `weight`.
    pub(crate) weight_panel: usize,
    /// `[panels][16]`.
    pub(crate) scale: &'a [f32],
    /// `[panels][16]`.
    pub(crate) bias: &'a [f32],
    /// `[panels][height * width]` pixels of sixteen bytes, or of sixteen `f32`.
    pub(crate) output: Output<'a>,
    /// Stride between panels in `output`.
    pub(crate) output_panel: usize,
    pub(crate) panels: usize,
    /// Whether the output is bytes.
    pub(crate) to_bytes: bool,
}

impl Int8Operation for MultiplyQuads<'_> {
    #[inline(always)]
    unsafe fn run<V: Int8>(self) {
        self.check();
        let output = self.output.start();
        let (rows, columns) = if self.height == 1 {
            (1, self.pixel_block.next_multiple_of(V::ROWS))
        } else {
            ((self.pixel_block / self.width).max(1), self.width)
        };
        for (y, block_height) in balanced(self.height, rows) {
            for (x, block_width) in balanced(self.width, columns) {
                let (rows, columns) = (y..y + block_height, x..x + block_width);
                let mut panel = 0;
                while panel < self.panels {
                    // SAFETY: `check`, and the features by the caller; each reads a packed block of as many panels as it is wide.
                    unsafe {
                        if V::PANELS == 2 && panel + 1 < self.panels {
                            block::<V, 2>(&self, output, &rows, &columns, panel);
                            panel += 2;
                        } else {
                            block::<V, 1>(&self, output, &rows, &columns, panel);
                            panel += 1;
                        }
                    }
                }
            }
        }
    }
}

impl MultiplyQuads<'_> {
    fn output_pixel(&self) -> usize {
        if self.to_bytes { QUADS } else { PANEL }
    }

    /// Checks everything that the pointers below rely on.
    fn check(&self) {
        let pixels = self.height * self.width;
        assert!(pixels > 0 && self.panels > 0 && self.segment_len > 0 && !self.segments.is_empty());
        let depth = self.segments.len() * self.segment_len;
        let last_segment = self.segments.iter().copied().max().unwrap_or(0);
        let last_pixel = (self.height - 1) * self.input_row + (self.width - 1) * self.input_pixel;
        assert!(last_pixel + last_segment + self.segment_len <= self.input.len());
        assert!(depth * PANEL <= self.weight_panel);
        assert!(self.panels * self.weight_panel <= self.weight.len());
        assert!(self.panels * PANEL <= self.scale.len());
        assert!(self.panels * PANEL <= self.bias.len());
        assert!(self.output_pixel() * pixels <= self.output_panel);
        let output = (self.panels - 1) * self.output_panel + self.output_pixel() * pixels;
        assert!(output <= self.output.len());
    }
}

/// Multiplies one block of pixels by one block of weights, of `N` panels.
///
/// # Safety
/// [`MultiplyQuads::check`] passed, `output` is that of `work`, the ranges lie within the image, the panels are packed
/// together, and the CPU has `V`.
#[inline(always)]
unsafe fn block<V: Int8, const N: usize>(
    work: &MultiplyQuads,
    output: *mut f32,
    rows: &Range<usize>,
    columns: &Range<usize>,
    panel: usize,
) {
    let output_pixel = work.output_pixel();
    for y in rows.clone() {
        for (offset, count) in balanced(columns.len(), V::ROWS) {
            let x = columns.start + offset;
            // SAFETY: `MultiplyQuads::check` bounds each of these.
            unsafe {
                let at = panel * work.output_panel + (y * work.width + x) * output_pixel;
                let tile = Tile {
                    input: work.input.as_ptr().add(y * work.input_row + x * work.input_pixel),
                    input_pixel: work.input_pixel,
                    segments: work.segments,
                    segment_len: work.segment_len,
                    weight: work.weight.as_ptr().add(panel * work.weight_panel),
                    scale: work.scale.as_ptr().add(panel * PANEL),
                    bias: work.bias.as_ptr().add(panel * PANEL),
                    output: output.add(at),
                    output_panel: work.output_panel,
                };
                if work.to_bytes {
                    any_rows::<V, N, true>(count, &tile);
                } else {
                    any_rows::<V, N, false>(count, &tile);
                }
            }
        }
    }
}

/// Calls [`tile_products`] with the rows as a constant.
///
/// # Safety
/// As [`tile_products`] for this many rows.
#[inline(always)]
unsafe fn any_rows<V: Int8, const N: usize, const TO_BYTES: bool>(rows: usize, tile: &Tile) {
    // SAFETY: as the caller's.
    unsafe {
        with_constant_rows!(8 * V::PANELS, rows, |ROWS| {
            // No tile is higher: the others need not be compiled.
            if const { ROWS <= V::ROWS } {
                tile_products::<V, ROWS, N, TO_BYTES>(tile);
            }
        });
    }
}

/// The operands of a register tile.
struct Tile<'a> {
    input: *const f32,
    input_pixel: usize,
    segments: &'a [usize],
    segment_len: usize,
    weight: *const f32,
    scale: *const f32,
    bias: *const f32,
    output: *mut f32,
    output_panel: usize,
}

/// Computes `ROWS` pixels by `N` panels of channels.
///
/// # Safety
/// The pointers are valid for `ROWS` pixels and `N` panels, `weight` for the whole depth, and the CPU has `V`.
#[inline(always)]
unsafe fn tile_products<V: Int8, const ROWS: usize, const N: usize, const TO_BYTES: bool>(
    tile: &Tile,
) {
    // SAFETY: the caller's promise covers every access.
    unsafe {
        let mut sums = [[V::zero(); N]; ROWS];
        let mut weight = tile.weight;
        for &segment in tile.segments {
            let input = tile.input.add(segment);
            for k in 0..tile.segment_len {
                let mut weights = [V::zero(); N];
                for n in 0..N {
                    weights[n] = V::load(weight.add(n * PANEL));
                }
                for row in 0..ROWS {
                    let activations = V::broadcast(input.add(row * tile.input_pixel + k));
                    for n in 0..N {
                        sums[row][n] = weights[n].dot_quads(activations, sums[row][n]);
                    }
                }
                weight = weight.add(N * PANEL);
            }
        }
        // Not a loop: the compiler would not unroll it, and keep every sum in memory.
        store_panel::<V, ROWS, N, TO_BYTES>(&sums, 0, tile);
        if N == 2 {
            store_panel::<V, ROWS, N, TO_BYTES>(&sums, 1, tile);
        }
    }
}

/// Scales and stores the sums of a panel.
///
/// # Safety
/// As [`tile_products`].
#[inline(always)]
unsafe fn store_panel<V: Int8, const ROWS: usize, const N: usize, const TO_BYTES: bool>(
    sums: &[[V; N]; ROWS],
    n: usize,
    tile: &Tile,
) {
    // SAFETY: as the caller's.
    unsafe {
        let (scale, bias) = (tile.scale.add(n * PANEL), tile.bias.add(n * PANEL));
        let output = tile.output.add(n * tile.output_panel);
        for row in 0..ROWS {
            if TO_BYTES {
                sums[row][n].store_bytes(scale, bias, output.add(row * QUADS));
            } else {
                sums[row][n].store_floats(scale, bias, output.add(row * PANEL));
            }
        }
    }
}

/// Rounds `factor * value` to bytes, as [`Int8::quantize`].
pub(crate) struct ToBytes<'a> {
    /// Whole pixels of sixteen channels.
    pub(crate) values: &'a [f32],
    pub(crate) factor: f32,
    /// A quarter as many words.
    pub(crate) words: &'a mut [f32],
}

impl Int8Operation for ToBytes<'_> {
    #[inline(always)]
    unsafe fn run<V: Int8>(self) {
        let pixels = self.values.chunks_exact(PANEL).zip(self.words.chunks_exact_mut(QUADS));
        for (values, words) in pixels {
            // SAFETY: chunks of sixteen values and of four words; the features by the caller.
            unsafe { V::quantize(values.as_ptr(), self.factor, words.as_mut_ptr()) }
        }
    }
}
