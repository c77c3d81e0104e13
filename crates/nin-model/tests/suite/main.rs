//! Integration tests of nin-model, one binary.

mod fused;
mod kernels;
mod shapes;
