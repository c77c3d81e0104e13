//! The layout of a grid, and the conversion of panels into it.

use crate::arch::{TILE_ROWS, TILE_WORDS, Tiles, TilesOperation};
use crate::panels::PANEL;

/// Pixels in a block: two tiles.
pub(crate) const BLOCK_PIXELS: usize = 2 * TILE_ROWS;

/// Rounds up to an even number: tiles hold panels in pairs.
pub(crate) const fn even(panels: usize) -> usize {
    panels.next_multiple_of(2)
}

/// The position of an image in a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    /// Rows of the image.
    pub(crate) rows: usize,
    /// Columns of the image.
    pub(crate) columns: usize,
    /// Stride between rows, in pixels.
    pub(crate) pitch: usize,
    /// Index of the first pixel of the image.
    pub(crate) first: usize,
    /// Pixels including margins, in whole blocks.
    pub(crate) len: usize,
}

impl Grid {
    /// Checks that the image lies within the grid and that rows do not overlap.
    #[inline(always)]
    pub(super) fn check(&self) {
        let last = self.first + (self.rows - 1) * self.pitch + self.columns;
        assert!(self.rows > 0 && self.columns > 0 && self.columns <= self.pitch);
        assert!(last <= self.len && self.len.is_multiple_of(BLOCK_PIXELS));
    }
}

/// Fills a grid, `[ceil(panels / 2)][grid.len][32]`, with zeros wherever there is no pixel.
pub(crate) struct FillGrid<'a> {
    pub(crate) grid: Grid,
    /// `[panels][plane]`; the first `rows * columns` pixels of each panel are read.
    pub(crate) values: &'a [f32],
    /// Stride between panels in `values`.
    pub(crate) plane: usize,
    pub(crate) panels: usize,
    pub(crate) words: &'a mut [f32],
    /// `[panels][16]`: every pixel is added, unrounded; empty to skip them.
    pub(crate) sums: &'a mut [f32],
}

impl TilesOperation for FillGrid<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { grid, values, plane, panels, words, sums } = self;
        grid.check();
        assert!(V::LANES == PANEL && panels > 0);
        assert!((panels - 1) * plane + grid.rows * grid.columns * PANEL <= values.len());
        assert!(words.len() == panels.div_ceil(2) * grid.len * TILE_WORDS);
        assert!(sums.is_empty() || sums.len() >= panels * PANEL);
        for (pair, words) in words.chunks_exact_mut(grid.len * TILE_WORDS).enumerate() {
            let count = (panels - 2 * pair).min(2);
            let mut end = 0;
            for row in 0..grid.rows {
                let start = (grid.first + row * grid.pitch) * TILE_WORDS;
                words[end..start].fill(0.0);
                end = start + grid.columns * TILE_WORDS;
                let at = 2 * pair * plane + row * grid.columns * PANEL;
                let sums = if sums.is_empty() { None } else { Some(&mut sums[2 * pair * PANEL..]) };
                // SAFETY: `check` and the lengths above; the features by the caller.
                unsafe {
                    let (from, to) = (values.as_ptr().add(at), words[start..end].as_mut_ptr());
                    if count == 2 {
                        fill_row::<V, 2>(from, plane, grid.columns, to, sums);
                    } else {
                        fill_row::<V, 1>(from, 0, grid.columns, to, sums);
                    }
                }
            }
            words[end..].fill(0.0);
        }
    }
}

/// Fills one row from one or two panels.
///
/// # Safety
/// `from` is valid for `columns` pixels in each panel, `to` for as many rows of a tile, `sums` for each panel, and the CPU
/// has `V`.
#[inline(always)]
unsafe fn fill_row<V: Tiles, const N: usize>(
    from: *const f32,
    panel: usize,
    columns: usize,
    to: *mut f32,
    sums: Option<&mut [f32]>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut totals = [V::splat(0.0); 2];
        for column in 0..columns {
            let at = from.add(column * PANEL);
            let first = V::load(at);
            let second = if N == 2 { V::load(at.add(panel)) } else { V::splat(0.0) };
            totals = [totals[0].add(first), totals[1].add(second)];
            V::narrow(first, second).store(to.add(column * TILE_WORDS));
        }
        if let Some(sums) = sums {
            assert!(sums.len() >= N * PANEL);
            for (n, total) in totals.into_iter().enumerate().take(N) {
                let at = sums.as_mut_ptr().add(n * PANEL);
                V::load(at).add(total).store(at);
            }
        }
    }
}
