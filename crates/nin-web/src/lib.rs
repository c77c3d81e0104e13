//! Network in Network in a web page: classifies pictures and trains in WebAssembly.
//!
//! [`Network`] takes safetensors and the bytes of a picture, and answers with the JSON of `nin-cli serve`. `Lesson` trains,
//! one step at a time. On `wasm32`, `interface` and `lesson_interface` export them as plain C functions. Everything runs on
//! the calling thread.

#[cfg(target_arch = "wasm32")]
mod interface;
#[cfg(feature = "training")]
mod lesson;
#[cfg(all(feature = "training", target_arch = "wasm32"))]
mod lesson_interface;
mod network;
#[cfg(target_arch = "wasm32")]
mod random;

#[cfg(feature = "training")]
pub use lesson::{Images, Lesson, Settings};
pub use network::{Network, problem};
