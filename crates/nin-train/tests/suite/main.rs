//! Integration tests of nin-train, one binary.

#[cfg(feature = "wgpu")]
mod adapter;
mod agreement;
mod learner;
mod parity;
