//! CPU kernels for Network in Network on plain `f32` slices: convolution + bias + ReLU, max pooling, and their gradients.
//!
//! There are no tensors: the caller owns every slice. [`Context`] is the entry point.
//!
//! # Layout
//! Activations are in *channel panels*, `[batch, ceil(channels / 16), height * width, 16]`: the sixteen channels of a pixel
//! are one cache line, and every stride is a constant. Channels that pad the last panel are zero in every activation and
//! every gradient; the kernels rely on it and preserve it. Weights and their gradients are `[out, in, height, width]`, as
//! in PyTorch and Burn.
//!
//! # Determinism
//! Results are bit-identical for any number of threads: the order of every sum depends on the sizes alone. They are not
//! bit-identical across instruction sets.
//!
//! # Instruction sets
//! A [`Context`] holds the instruction set, which is chosen at run time. The kernels are written once over a vector trait
//! (`arch/generic`); each other file of `arch` implements that trait for one instruction set, and holds the proof that the
//! CPU has it.

// Vector intrinsics, and the pointers that feed them. No other crate of the workspace needs either.
#![allow(unsafe_code)]
// An intrinsic in a function that is not inlined becomes a call; see `arch::Operation`.
#![allow(clippy::inline_always)]
// The kernels index several arrays of constant length by one counter, and the compiler unrolls the loop.
#![allow(clippy::needless_range_loop)]
// WebAssembly has no bf16: nothing calls the kernels for it.
#![cfg_attr(target_feature = "simd128", allow(dead_code, unused_variables))]

mod algorithm;
mod arch;
mod context;
mod conv;
mod detection;
mod each;
mod error;
mod geometry;
mod inference;
mod isa;
mod layout;
mod lock;
mod memory;
mod mlpconv;
mod panels;
mod peak;
mod pool;
mod precision;
mod priority;
mod quantized;
mod scratch;
mod shared;
mod team;
mod transpose;
mod vectorized;

pub use algorithm::Algorithm;
pub use context::Context;
pub use conv::{ConvBackward, ConvInput};
pub use error::Error;
pub use geometry::{ConvGeometry, PoolGeometry};
pub use inference::{Inference, InferenceBlock};
pub use isa::Isa;
pub use layout::{nchw_from_panels, panels_from_nchw};
pub use memory::keep_freed_memory;
pub use mlpconv::{MlpconvBackward, MlpconvGeometry, MlpconvSaved, MlpconvWeights};
pub use panels::{PANEL, panels_len};
pub use precision::Precision;
pub use priority::lower_thread_priority;
pub use quantized::{QuantizedInference, QuantizedLayer};
pub use scratch::Scratch;
pub use transpose::transposed;
pub use vectorized::{Vectorize, vectorized};
