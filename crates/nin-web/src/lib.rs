//! Network in Network in a web page: classifies pictures in WebAssembly.
//!
//! [`Network`] is the safe part: safetensors in, a picture's bytes in, JSON out, the same as `nin-cli serve` answers.
//! On `wasm32`, `interface` exports it as plain C functions. Everything runs on the calling thread.

#[cfg(target_arch = "wasm32")]
mod interface;
mod network;
#[cfg(target_arch = "wasm32")]
mod random;

pub use network::{Network, problem};
