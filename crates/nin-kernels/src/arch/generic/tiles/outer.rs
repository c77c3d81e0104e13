//! Outer products of pixels and gradients in tiles, summed over pixels: the inner loop of every weight gradient in tiles.

use super::{BLOCK_PIXELS, even};
use crate::arch::{TILE_LEN, TileBlock, Tiles, TilesOperation};
use crate::panels::PANEL;

/// `sums[panel][depth][lane] += sum over parts and places of input(place)[depth] * gradient[panel][place][lane]`, over
/// several images or parts of images at once, with sums laid out as those of [`Outer`](crate::arch::generic::Outer).
pub(crate) struct TileOuter<'a> {
    pub(crate) parts: usize,
    /// Written by [`super::TransposeGrid`]: `[even(in_panels)][16][input_row]` words.
    pub(crate) input: &'a [f32],
    pub(crate) input_row: usize,
    /// Pixels of a part in one channel of `input`.
    pub(crate) input_len: usize,
    pub(crate) in_panels: usize,
    /// The distance in pixels from a place to the pixel under each tap.
    pub(crate) taps: &'a [usize],
    /// Written by [`super::ZipGrid`]: `[even(out_panels)][gradient_row]` words.
    pub(crate) gradient: &'a [f32],
    pub(crate) gradient_row: usize,
    /// Places of a part, in whole blocks.
    pub(crate) places: usize,
    pub(crate) out_panels: usize,
    /// `[out_panels][in_panels][taps][16][16 or 32]`.
    pub(crate) sums: &'a mut [f32],
    /// Overwrites `sums` instead of adding to it.
    pub(crate) overwrite: bool,
}

/// Steps (of 32 pixels) per pass over the taps: both operands of that many stay in L1.
const STEPS_OF_TAPS: usize = 8;

/// Steps per pass over the channels of a kernel with one tap: the gradient stays in L1.
const STEPS_OF_CHANNELS: usize = 16;

/// The initial sums that overwrite the old ones.
#[repr(align(64))]
struct Zeros([f32; PANEL]);

impl TilesOperation for TileOuter<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { parts, taps, places, in_panels, out_panels, .. } = self;
        let reach = taps.iter().copied().max().unwrap_or(0);
        assert!(V::LANES == PANEL && places.is_multiple_of(BLOCK_PIXELS) && parts * places > 0);
        assert!(places + reach <= self.input_len && self.input_len.is_multiple_of(2));
        assert!(parts * self.input_len <= 2 * self.input_row);
        assert!(self.input.len() == even(in_panels) * PANEL * self.input_row);
        assert!(parts * places / 2 * PANEL <= self.gradient_row);
        assert!(self.gradient.len() == even(out_panels) * self.gradient_row);
        let depth = in_panels * taps.len() * PANEL;
        assert!(in_panels > 0 && self.sums.len() == out_panels * PANEL * depth);
        let offsets: Vec<usize> = (0..parts)
            .flat_map(|part| {
                let steps = (0..places).step_by(BLOCK_PIXELS);
                steps.map(move |place| (part * self.input_len + place) * size_of::<u16>())
            })
            .collect();
        let chunk = if taps.len() > 1 { STEPS_OF_TAPS } else { STEPS_OF_CHANNELS };
        let zeros = Zeros([0.0; PANEL]);
        let sums = self.sums.as_mut_ptr();
        // SAFETY: the assertions bound every access; the features by the caller.
        unsafe {
            V::configure();
            for panel in (0..out_panels).step_by(2) {
                let width = (out_panels - panel).min(2) * PANEL;
                let gradient = self.gradient.as_ptr().add(panel * self.gradient_row);
                let sums = sums.add(panel * PANEL * depth);
                for (index, offsets) in offsets.chunks(chunk).enumerate() {
                    let gradient = gradient.add(index * chunk * TILE_LEN);
                    let start = (self.overwrite && index == 0).then_some(zeros.0.as_ptr());
                    for in_panel in (0..in_panels).step_by(2) {
                        let channels = self.input.as_ptr().add(in_panel * PANEL * self.input_row);
                        for (tap, &distance) in taps.iter().enumerate() {
                            // The second of each pair is only accessed if it exists.
                            let row = |panel: usize| {
                                let at = (panel * taps.len() + tap) * PANEL * width;
                                let first = sums.wrapping_add(at);
                                [first, first.wrapping_add(PANEL)]
                            };
                            let rows = [row(in_panel), row(in_panel + 1)];
                            let row_bytes = width * size_of::<f32>();
                            let block = TileBlock {
                                start: start.map_or_else(
                                    || rows.map(|row| row.map(<*mut f32>::cast_const)),
                                    |zeros| [[zeros; 2]; 2],
                                ),
                                sums: rows,
                                start_row: if start.is_some() { 0 } else { row_bytes },
                                sums_row: row_bytes,
                                left: channels.byte_add(distance * size_of::<u16>()),
                                left_row: self.input_row * size_of::<f32>(),
                                offsets: offsets.as_ptr(),
                                steps: offsets.len(),
                                right: [gradient, gradient.wrapping_add(self.gradient_row)],
                            };
                            match (in_panels - in_panel, width) {
                                (1, PANEL) => V::products::<1, 1>(&block),
                                (1, _) => V::products::<1, 2>(&block),
                                (_, PANEL) => V::products::<2, 1>(&block),
                                _ => V::products::<2, 2>(&block),
                            }
                        }
                    }
                }
            }
            V::release();
        }
    }
}
