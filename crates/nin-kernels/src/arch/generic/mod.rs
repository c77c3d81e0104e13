//! The kernels, written once over [`Vector`](super::Vector), [`Bf16`](super::Bf16) and [`Tiles`](super::Tiles).

mod epilogue;
mod multiply;
mod outer;
mod pairs;
mod pool;
mod quads;
mod relu;
mod tiles;
mod tiling;
pub(crate) mod winograd;

pub(crate) use epilogue::Epilogue;
pub(crate) use multiply::{Multiply, segments_per_pass};
pub(crate) use outer::{OUTER_PIXELS, Outer};
pub(crate) use pairs::{InPairs, Narrow, PAIRS, ZipNeighbours, ZipPixels, ZipWords};
pub(crate) use pool::{PoolBackward, PoolBytes, PoolForward};
pub(crate) use quads::{MultiplyQuads, QUADS, ToBytes};
pub(crate) use relu::ReluBackward;
pub(crate) use tiles::{
    BLOCK_PIXELS, FillGrid, FillPatches, Grid, Patches, TileMultiply, TileOuter, TransposeGrid,
    ZipGrid, even,
};
pub(crate) use tiling::{balanced, panels_per_block};
