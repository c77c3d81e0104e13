//! CPU kernels of the Network in Network on plain `f32` slices: convolution + bias + ReLU, max pooling, and their
//! gradients. No Burn, no tensors: the caller owns every slice.
//!
//! # Layout
//! Activations lie in *channel panels*: `[batch, ceil(channels / 16), height * width, 16]`, so that the sixteen channels
//! of a pixel are one cache line and every stride is a constant. Channels that only fill up the last panel are zero in
//! every activation and every gradient: these kernels keep them so and may rely on it. Weights and their gradients are
//! plain `[out, in, height, width]`, as PyTorch and Burn have them.
//!
//! # Determinism
//! Results are the same bits for any number of threads: work is split into parts that depend on the sizes alone, and
//! what the parts sum is added in a fixed order. They are not the same bits on two instruction sets.
//!
//! # Instruction sets
//! [`Cpu`] holds the one in use, chosen at run time. The kernels are written once over a vector trait
//! (`arch/generic`); each other file of `arch` implements that trait, and holds the proof that the CPU can run it.

// Vector intrinsics and the pointers that feed them. Nothing outside this crate needs either.
#![allow(unsafe_code)]
// An intrinsic in a function that is not inlined into its instruction set's entry is a call; see `arch::Operation`.
#![allow(clippy::inline_always)]
// The kernels index several arrays of constant length by one counter, which the compiler unrolls.
#![allow(clippy::needless_range_loop)]

mod arch;
mod conv;
mod cpu;
mod error;
mod geometry;
mod memory;
mod mlpconv;
mod panels;
mod peak;
mod pool;
mod precision;
mod priority;
mod scratch;
mod transpose;
mod vectorized;

#[doc(hidden)]
pub mod oracle;

pub use conv::{Algorithm, ConvBackward, ConvInput};
pub use cpu::{Cpu, Isa};
pub use error::Error;
pub use geometry::{ConvGeometry, PoolGeometry};
pub use memory::keep_freed_memory;
pub use mlpconv::{MlpconvBackward, MlpconvGeometry, MlpconvKept, MlpconvWeights};
pub use panels::{PANEL, nchw_from_panels, panels_from_nchw, panels_len};
pub use precision::Precision;
pub use priority::let_others_go_first;
pub use scratch::Scratch;
pub use transpose::transposed;
pub use vectorized::{Vectorize, vectorized};
