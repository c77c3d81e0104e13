//! bf16 operands in tiles of 16 rows of 64 bytes: what a matrix unit (AMX) takes in one instruction.
//!
//! A *grid* holds an image's pixels in bf16, 32 channels (two panels, one cache line) a pixel, with its margins of
//! zeros in place. Rows follow one another, so that what lies under a tap of the kernel is at one distance from every
//! output pixel: sixteen neighbours in memory are a tile's rows, whatever the kernel. Between two rows of the output this
//! computes a few pixels that nobody wants, as many as the margins are wide.

mod grid;
mod multiply;
mod outer;
mod patches;
mod turn;

pub(crate) use grid::{FillGrid, Grid};
pub(crate) use multiply::TileMultiply;
pub(crate) use outer::TileOuter;
pub(crate) use patches::{FillPatches, Patches};
pub(crate) use turn::{TurnGrid, ZipGrid};

use super::Bf16;
use crate::panels::PANEL;

/// Channels of a pixel in a grid: a row of a tile.
pub(crate) const TILE_CHANNELS: usize = 2 * PANEL;

/// Words of two bf16 in a tile's row.
pub(crate) const TILE_WORDS: usize = TILE_CHANNELS / 2;

/// Words of a tile.
pub(crate) const TILE_LEN: usize = TILE_ROWS * TILE_WORDS;

/// Rows of a tile.
pub(crate) const TILE_ROWS: usize = 16;

/// Pixels that are worked on at a time: two tiles.
pub(crate) const BLOCK_PIXELS: usize = 2 * TILE_ROWS;

/// What a kernel asks of an instruction set that multiplies tiles.
///
/// Every function is unsafe as [`Vector`](super::Vector)'s are.
#[allow(clippy::missing_safety_doc)]
pub(crate) trait Tiles: Bf16 {
    /// Makes the thread's tiles ready. Between it and [`release`](Self::release) nothing else may configure them.
    unsafe fn configure();
    /// Gives the thread's tiles back.
    unsafe fn release();
    /// `M` by `N` tiles of sums, each started from what `block` says, over all of its steps.
    ///
    /// The tiles are configured, `block` has a step, and its pointers are good for so many tiles.
    unsafe fn products<const M: usize, const N: usize>(block: &TileBlock);
    /// The bf16 halves of two vectors in pairs: those of the lower halves of `low` and `high`, then of the upper.
    unsafe fn zip_halves(low: Self, high: Self) -> [Self; 2];
    /// Rows and columns of words change places.
    unsafe fn transpose(words: &mut [Self; 16]);
}

/// Two by two tiles of sums, and where their operands lie. Strides and offsets are in bytes.
pub(crate) struct TileBlock {
    /// Where the sums start from, row by row of tiles.
    pub(crate) start: [[*const f32; 2]; 2],
    /// Where the sums go.
    pub(crate) sums: [[*mut f32; 2]; 2],
    /// From one of a tile's rows to the next in `start`; 0 where all rows start from the same.
    pub(crate) start_row: usize,
    pub(crate) sums_row: usize,
    /// The first step's left operand: sixteen rows, the second tile's behind the first's.
    pub(crate) left: *const f32,
    pub(crate) left_row: usize,
    /// Each step's distance from `left`.
    pub(crate) offsets: *const usize,
    pub(crate) steps: usize,
    /// The first step's right operands; each next step's lies behind.
    pub(crate) right: [*const f32; 2],
}

/// A piece of work that is compiled for every instruction set that multiplies tiles; as
/// [`Operation`](crate::arch::Operation) otherwise.
pub(crate) trait TilesOperation {
    /// The work.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    unsafe fn run<V: Tiles>(self);
}

/// Rounded up to an even number.
pub(crate) const fn evened(panels: usize) -> usize {
    panels.next_multiple_of(2)
}
