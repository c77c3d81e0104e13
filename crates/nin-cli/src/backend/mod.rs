//! Chooses the backend at run time, and runs tasks on it.
//!
//! A [`Task`] is generic over Burn's `Backend`, and [`Selected`] runs it on one. `choice` finds out which: by the command
//! line, by what a resumed run computed on (`remembered`), or by what there is (`automatic`, which may ask for a `trial`).
//! `graphics` lists adapters, and `gpu` opens one, after a `self_test`.

mod adapters;
mod automatic;
mod choice;
mod configuration;
#[cfg(feature = "wgpu")]
mod gpu;
mod graphics;
mod name;
mod processor;
mod remembered;
mod selected;
#[cfg(feature = "wgpu")]
mod self_test;
mod task;
mod threads;
mod trial;

pub use adapters::Adapter;
pub use configuration::configure;
pub use graphics::adapters;
pub use name::{BackendChoice, BackendName, DeviceRequest};
pub use nin_kernels::lower_thread_priority;
pub use processor::{computes_in_bf16, cpu_features, cpu_name, kernels, override_instruction_set};
pub use remembered::RememberedDevice;
pub use selected::Selected;
pub use task::Task;
pub use threads::default_threads;
