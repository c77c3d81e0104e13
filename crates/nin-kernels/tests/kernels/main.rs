//! The kernels against the oracle, on every instruction set that this machine has.

mod bf16;
mod convolution;
mod determinism;
mod mlpconv;
mod pooling;
mod support;
