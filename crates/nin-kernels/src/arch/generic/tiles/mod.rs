//! Convolutions of bf16 in tiles of 16 rows of 64 bytes, the operands of a matrix unit (AMX).
//!
//! A *grid* holds an image in bf16: 32 channels (two panels, one cache line) for each pixel, with a margin of zeros. Its
//! rows are contiguous, so that each tap of the kernel is at a constant distance from every output pixel: sixteen
//! consecutive pixels are the rows of a tile, whatever the kernel. The cost is a few unused output pixels between two rows,
//! as many as the margins are wide.

mod grid;
mod multiply;
mod outer;
mod patches;
mod transpose;

pub(crate) use grid::{BLOCK_PIXELS, FillGrid, Grid, even};
pub(crate) use multiply::TileMultiply;
pub(crate) use outer::TileOuter;
pub(crate) use patches::{FillPatches, Patches};
pub(crate) use transpose::{TransposeGrid, ZipGrid};
