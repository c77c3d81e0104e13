//! The backend and threads of a command.

use std::sync::Once;

use clap::Args;
use nin_model::Weights;

use crate::backend::{BackendChoice, DeviceRequest, default_threads};
use crate::output::note;

/// The backend and its threads.
#[derive(Debug, Clone, Args)]
pub struct DeviceArguments {
    /// Backend to compute with
    #[arg(long, value_enum, default_value = "auto", value_name = "BACKEND")]
    pub backend: BackendChoice,
    /// Adapter for wgpu: an index or part of a name from `nin-cli devices` [default: the first discrete GPU, else the best]
    #[arg(long, value_name = "INDEX-OR-NAME")]
    pub adapter: Option<String>,
    /// Threads of a CPU backend [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

impl DeviceArguments {
    /// Returns what they say about the device.
    pub fn request(&self) -> DeviceRequest<'_> {
        let (backend, adapter) = (self.backend, self.adapter.as_deref());
        DeviceRequest { backend, adapter, threads: self.thread_count(), is_for_int8: false }
    }

    /// Returns what they say about the device for a network: int8 weights run on the CPU.
    pub fn request_for(&self, weights: &Weights) -> DeviceRequest<'_> {
        let request = self.request();
        if weights.is_quantized() { request.for_int8() } else { request }
    }

    /// Returns the threads of a CPU backend: at most one per core, because more would wait for each other.
    pub fn thread_count(&self) -> usize {
        let most = default_threads();
        let asked = self.threads.map_or(most, usize::from);
        if asked > most {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                note(format!(
                    "warning: --threads {asked} exceeds the {most} available cores: using {most}"
                ));
            });
        }
        asked.min(most)
    }
}
