//! Compares the kernels with the oracle, on every instruction set of this machine.

mod bf16;
mod convolution;
mod determinism;
mod inference;
mod mlpconv;
mod oracle;
mod pooling;
mod quantized;
mod support;
