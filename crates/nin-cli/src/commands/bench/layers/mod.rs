//! `bench --layers`: each layer on its own, in milliseconds, GFLOP/s and per cent of the CPU's peak.

#[cfg(any(feature = "ndarray", feature = "flex"))]
mod table;
#[cfg(any(feature = "ndarray", feature = "flex"))]
mod timing;

use std::process::ExitCode;

use crate::arguments::BenchArguments;
use crate::error::CommandError;
use crate::settings::NetworkSettings;

/// Times every layer with the CPU kernels.
#[cfg(any(feature = "ndarray", feature = "flex"))]
pub fn run(arguments: &BenchArguments, settings: &NetworkSettings) -> anyhow::Result<ExitCode> {
    use self::timing::time_layers;
    use crate::backend::{BackendName, Selected};
    use crate::output::{Format, print_json, print_text};

    let NetworkSettings { recipe, architecture, input } = settings;
    let selected = Selected::choose(arguments.device.request())?;
    if selected.backend == BackendName::Wgpu {
        return Err(no_kernels());
    }
    let training = &recipe.training;
    selected.note_precision(training.precision);
    let steps = arguments.steps as usize;
    let timing = time_layers(architecture, *input, training.batch_size, steps, training.precision)?;
    let table = table::Table {
        architecture: architecture.name(),
        input: *input,
        batch_size: training.batch_size,
        precision: training.precision.name(),
        threads: arguments.device.thread_count(),
        device: &selected.device,
        timing: &timing,
    };
    match arguments.format {
        Format::Json => print_json(&table.as_json())?,
        Format::Text => print_text(&table.as_text())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reports that this program has no CPU kernels.
#[cfg(not(any(feature = "ndarray", feature = "flex")))]
pub fn run(_: &BenchArguments, _: &NetworkSettings) -> anyhow::Result<ExitCode> {
    Err(no_kernels())
}

fn no_kernels() -> anyhow::Error {
    CommandError::new(
        "--layers times the CPU kernels, which the backend `wgpu` does not use",
        "choose a CPU backend: --backend flex or --backend ndarray",
    )
    .into()
}
