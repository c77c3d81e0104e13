//! Integration tests of nin-model, one binary.

mod fused;
mod shapes;
