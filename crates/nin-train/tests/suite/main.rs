//! Integration tests of nin-train, in one binary.

#[cfg(feature = "test-wgpu")]
mod adapter;
mod agreement;
#[cfg(feature = "test-wgpu")]
mod f16;
#[cfg(feature = "test-wgpu")]
mod gpu;
#[cfg(feature = "test-wgpu")]
mod gpu_training;
mod initialization;
mod interruption;
mod kernels;
mod learner;
mod micro_batches;
mod parity;
mod recipe_page;
