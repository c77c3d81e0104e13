//! The backend and threads of a command.

use std::sync::Once;

use clap::Args;

use crate::backend::{BackendChoice, default_threads};
use crate::output::note;

/// The backend and its threads.
#[derive(Debug, Args)]
pub struct DeviceArguments {
    /// Backend to compute with
    #[arg(long, value_enum, default_value = "auto", value_name = "BACKEND")]
    pub backend: BackendChoice,
    /// Threads of a CPU backend [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

impl DeviceArguments {
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
