//! Winograd's algorithm, F(4x4, 3x3) and F(4x4, 5x5), for layers with stride 1.
//!
//! Tiles of the input and the kernels are transformed to points, where the convolution is a product of matrices for
//! each point; another transform goes back. An output of a 5x5 kernel takes 4 multiplications instead of 25, one of a 3x3
//! kernel 2.25 instead of 9, and the values at the points pass through memory.
//!
//! The gradient of the input is a convolution of the gradient with the kernels rotated by half a turn, by the same kernels.
//! The gradient of the weight is summed at the points and transformed at the end.
//!
//! Images pass in chunks, so that no buffer is larger than 64 MiB. What is computed depends on the sizes alone.

mod cost;
mod image;
mod launch;
mod line;
mod plan;
mod product;
mod scheme;
mod weight;

pub(crate) use plan::Winograd;
