//! The tile interface: what a kernel requires of a matrix unit (AMX) that multiplies tiles of bf16, 16 rows of 64 bytes each.

use super::Bf16;
use crate::panels::PANEL;

/// Channels in the row of a tile.
pub(crate) const TILE_CHANNELS: usize = 2 * PANEL;

/// Words of two bf16 in the row of a tile.
pub(crate) const TILE_WORDS: usize = TILE_CHANNELS / 2;

/// Words in a tile.
pub(crate) const TILE_LEN: usize = TILE_ROWS * TILE_WORDS;

/// Rows in a tile.
pub(crate) const TILE_ROWS: usize = 16;

/// The operations of a matrix unit on tiles of bf16.
///
/// Every function is unsafe for the reason given at [`Vector`](super::Vector).
#[allow(clippy::missing_safety_doc)]
pub(crate) trait Tiles: Bf16 {
    /// Configures the tiles of this thread. Nothing else may configure them before [`release`](Self::release).
    unsafe fn configure();
    /// Releases the tiles of this thread.
    unsafe fn release();
    /// Computes `M` by `N` tiles of sums over all steps of `block`.
    ///
    /// The tiles are configured, `block` has at least one step, and its pointers are valid for `M` by `N` tiles.
    unsafe fn products<const M: usize, const N: usize>(block: &TileBlock);
    /// Interleaves the bf16 of two vectors: first the lower halves of `low` and `high`, then the upper ones.
    unsafe fn zip_halves(low: Self, high: Self) -> [Self; 2];
    /// Transposes a square of words.
    unsafe fn transpose(words: &mut [Self; 16]);
}

/// The operands of two by two tiles of sums. Strides and offsets are in bytes.
pub(crate) struct TileBlock {
    /// The initial sums, row by row of tiles.
    pub(crate) start: [[*const f32; 2]; 2],
    /// The destination of the sums.
    pub(crate) sums: [[*mut f32; 2]; 2],
    /// Stride between the rows of a tile in `start`; 0 where all rows start from the same values.
    pub(crate) start_row: usize,
    /// Stride between the rows of a tile in `sums`.
    pub(crate) sums_row: usize,
    /// The left operands of the first step: the sixteen rows of the first tile, then those of the second.
    pub(crate) left: *const f32,
    /// Stride between rows in `left`.
    pub(crate) left_row: usize,
    /// The offset of each step from `left`.
    pub(crate) offsets: *const usize,
    pub(crate) steps: usize,
    /// The right operands of the first step; those of the next steps follow.
    pub(crate) right: [*const f32; 2],
}

/// A piece of work that is compiled for each instruction set that multiplies tiles, as
/// [`Operation`](super::Operation) is for all.
pub(crate) trait TilesOperation {
    /// Does the work.
    ///
    /// # Safety
    /// The CPU has the instruction set of `V`.
    unsafe fn run<V: Tiles>(self);
}
