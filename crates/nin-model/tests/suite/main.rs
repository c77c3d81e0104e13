//! Integration tests of nin-model, one binary.

mod fused;
mod inference;
mod kernels;
mod quantization;
mod shapes;
