//! Grids rearranged for the weight gradient, which sums over pixels.

use super::BLOCK_PIXELS;
use crate::arch::{TILE_CHANNELS, TILE_WORDS, Tiles, TilesOperation};
use crate::panels::PANEL;

/// Pairs neighbouring pixels of a grid: fills `[even(panels)][row / 16][16]` words from `first` on.
pub(crate) struct ZipGrid<'a> {
    pub(crate) grid: &'a [f32],
    /// Pixels of the grid.
    pub(crate) len: usize,
    pub(crate) words: &'a mut [f32],
    /// Stride between panels in `words`.
    pub(crate) row: usize,
    pub(crate) first: usize,
}

impl TilesOperation for ZipGrid<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { grid, len, words, row, first } = self;
        assert!(V::LANES == PANEL && len.is_multiple_of(BLOCK_PIXELS));
        let panels = 2 * (grid.len() / (len * TILE_WORDS));
        assert!(grid.len() * 2 == panels * len * TILE_WORDS && words.len() == panels * row);
        assert!(first + len / 2 * PANEL <= row);
        for (pair, grid) in grid.chunks_exact(len * TILE_WORDS).enumerate() {
            let (lower, upper) = words[2 * pair * row..].split_at_mut(row);
            let words = lower[first..].chunks_exact_mut(PANEL);
            let words = words.zip(upper[first..].chunks_exact_mut(PANEL));
            for (pixels, (lower, upper)) in grid.chunks_exact(2 * TILE_WORDS).zip(words) {
                // SAFETY: chunks of two vectors and of one each; the features by the caller.
                unsafe {
                    let at = pixels.as_ptr();
                    let zipped = V::zip_halves(V::load(at), V::load(at.add(TILE_WORDS)));
                    zipped[0].store(lower.as_mut_ptr());
                    zipped[1].store(upper.as_mut_ptr());
                }
            }
        }
    }
}

/// Transposes a grid so that the pixels of each channel are contiguous: fills `[even(panels)][16][row]` words of two
/// pixels from `first` on.
pub(crate) struct TransposeGrid<'a> {
    pub(crate) grid: &'a [f32],
    /// Pixels of the grid.
    pub(crate) len: usize,
    pub(crate) words: &'a mut [f32],
    /// Stride between channels in `words`.
    pub(crate) row: usize,
    pub(crate) first: usize,
}

impl TilesOperation for TransposeGrid<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { grid, len, words, row, first } = self;
        assert!(V::LANES == PANEL && len.is_multiple_of(BLOCK_PIXELS));
        let blocks = grid.len() / (len * TILE_WORDS);
        assert!(grid.len() == blocks * len * TILE_WORDS);
        assert!(words.len() == blocks * TILE_CHANNELS * row && first + len / 2 <= row);
        for (grid, words) in
            grid.chunks_exact(len * TILE_WORDS).zip(words.chunks_exact_mut(TILE_CHANNELS * row))
        {
            for (block, grid) in grid.chunks_exact(BLOCK_PIXELS * TILE_WORDS).enumerate() {
                // SAFETY: `grid` is a whole block, and `words` has sixteen words for each block in each of 32 channels;
                // the features by the caller.
                unsafe {
                    let mut lower = [V::splat(0.0); 16];
                    let mut upper = lower;
                    for pair in 0..16 {
                        let at = grid.as_ptr().add(2 * pair * TILE_WORDS);
                        [lower[pair], upper[pair]] =
                            V::zip_halves(V::load(at), V::load(at.add(TILE_WORDS)));
                    }
                    let to = words.as_mut_ptr().add(first + block * BLOCK_PIXELS / 2);
                    V::transpose(&mut lower);
                    for channel in 0..16 {
                        lower[channel].store(to.add(channel * row));
                    }
                    V::transpose(&mut upper);
                    for channel in 0..16 {
                        upper[channel].store(to.add((channel + 16) * row));
                    }
                }
            }
        }
    }
}
