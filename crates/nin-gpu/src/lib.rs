//! GPU kernels for Network in Network in CubeCL, on plain buffers: convolution + bias + ReLU, max pooling, dropout, global
//! average pooling, the cross-entropy, their gradients, sums and scaling of many buffers, and the update of parameters.
//!
//! There are no tensors: the caller owns every buffer, in the layout of Burn and PyTorch (`[batch, channels, height,
//! width]`, and weights `[outputs, inputs, kernel, kernel]`). [`Convolution`] is the entry point.
//!
//! # Products
//! A convolution and both of its gradients are products of matrices that never exist in memory (implicit GEMM): `product`
//! has what the three share, and each file of `direct` gathers the factors of one. Layers of 5x5 and 3x3 may be
//! computed by Winograd's algorithm instead (`winograd`): the counts of [`Cost`] decide.
//!
//! # Types
//! Values are 32-bit floats. Where the adapter has 16-bit floats, activations and their gradients may be stored in them, and
//! the direct algorithm may multiply them ([`Elements`]). Sums, weights and their gradients stay in 32 bits.
//!
//! # Adapters
//! Kernels need 16 KiB of workgroup memory, 256 threads in a workgroup and seven buffers, which every WebGPU adapter has. Sizes
//! are checked before anything is launched. Then the kernels check every index of a buffer again: outside of it they read
//! zero and write nothing.
//!
//! # Determinism
//! Sums are added in an order that depends on the sizes alone, and there are no atomic operations: an adapter gives the same
//! bits each time. Tiles are chosen by the sizes ([`Tile`]), never by measurements.

// Kernels take their sizes one by one, and arguments by value or by reference as CubeCL wants them. What is not CubeCL's
// language cannot be called in them.
#![allow(
    // CubeCL's `Sequence` has `len` but no `is_empty`.
    clippy::len_zero,
    // An `if` that is decided while a kernel is compiled is one of its own.
    clippy::collapsible_if,
    clippy::manual_is_multiple_of,
    clippy::needless_pass_by_value,
    clippy::similar_names,
    clippy::too_many_arguments,
    clippy::too_many_lines,
    clippy::trivially_copy_pass_by_ref,
    // The types of a kernel are bound by `define`, and have no other use.
    clippy::used_underscore_binding
)]

mod buffer;
mod convolution;
mod cost;
mod cross_entropy;
mod direct;
mod dropout;
mod element;
mod error;
mod geometry;
mod mean;
mod optimizer;
mod parameter_gradients;
mod pool;
mod product;
mod reduction;
mod relu;
mod scale;
mod sums;
mod tile;
mod winograd;

pub use convolution::{Algorithm, Convolution};
pub use cost::Cost;
pub use cross_entropy::CrossEntropy;
pub use dropout::Dropout;
pub use element::{Element, Elements};
pub use error::Error;
pub use geometry::{ConvGeometry, PoolGeometry, Window};
pub use mean::MapMean;
pub use optimizer::{AdamW, Sgd, Update, launch_updates};
pub use parameter_gradients::ParameterGradients;
pub use pool::{Pooled, max_pool, max_pool_gradient};
pub use relu::{relu_gradient, relu_gradient_cost};
pub use scale::scaled;
pub use sums::Sums;
pub use tile::{Pass, TILES, Tile};
