//! GPU kernels for Network in Network.

mod buffer;
mod convolution;
mod cost;
mod error;
mod geometry;
mod optimizer;
mod pool;
mod product;
mod relu;
mod tile;

pub use convolution::{Convolution, ParameterGradients};
pub use cost::Cost;
pub use error::Error;
pub use geometry::{ConvGeometry, PoolGeometry, Window};
pub use optimizer::{AdamW, Sgd};
pub use pool::{Pooled, max_pool, max_pool_gradient};
pub use relu::{relu_gradient, relu_gradient_cost};
pub use tile::{Pass, TILES, Tile, tile};
