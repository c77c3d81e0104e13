//! The kernels, written once over [`Vector`].

mod gate;
mod multiply;
mod outer;
mod pairs;
mod pool;
mod tiles;
mod tiling;
mod vector;
pub(crate) mod winograd;

pub(crate) use gate::gate;
pub(crate) use multiply::{End, Multiply};
pub(crate) use outer::Outer;
pub(crate) use pairs::{Bf16, Bf16Operation, InPairs, Narrow, ZipPixels};
pub(crate) use pool::{PoolBackward, PoolForward};
pub(crate) use tiles::{
    BLOCK_PIXELS, FillGrid, FillPatches, Grid, Patches, TILE_CHANNELS, TILE_LEN, TILE_ROWS,
    TILE_WORDS, TileBlock, TileMultiply, TileOuter, Tiles, TilesOperation, TurnGrid, ZipGrid,
    evened,
};
pub(crate) use tiling::{balanced, panels_per_block};
pub(crate) use vector::Vector;
