//! Integration tests of nin-train, in one binary.

#[cfg(feature = "test-wgpu")]
mod adapter;
mod agreement;
mod initialization;
mod interruption;
mod kernels;
mod learner;
mod parity;
mod recipe_page;
