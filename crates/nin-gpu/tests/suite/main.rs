//! Integration tests of nin-gpu, in one binary: kernels on the adapter of this machine against plain loops.

mod adapter;
mod convolution;
mod cross_entropy;
mod dropout;
mod mean;
mod optimizer;
mod oracle;
mod pool;
mod scale;
mod sums;
