//! Integration tests of nin-gpu, in one binary: kernels on the adapter of this machine against plain loops.

mod adapter;
mod convolution;
mod dropout;
mod optimizer;
mod oracle;
mod pool;
