//! `bench --layers`: each layer on its own, in milliseconds, GFLOP/s and per cent of the CPU's peak; on wgpu, what it costs.

#[cfg(feature = "wgpu")]
mod counts;
#[cfg(any(feature = "ndarray", feature = "flex"))]
mod table;
#[cfg(any(feature = "ndarray", feature = "flex"))]
mod timing;

use std::process::ExitCode;

use crate::arguments::BenchArguments;
use crate::backend::{BackendName, Selected};
use crate::output::{Format, print_json, print_text};
use crate::settings::NetworkSettings;

/// Reports on every layer: timed with the CPU kernels, or counted for a GPU.
pub fn run(arguments: &BenchArguments, settings: &NetworkSettings) -> anyhow::Result<ExitCode> {
    let selected = Selected::choose(arguments.device.request())?;
    if selected.backend == BackendName::Wgpu {
        return count(arguments, settings, &selected);
    }
    time(arguments, settings, &selected)
}

/// Counts what every layer costs a GPU.
#[cfg(feature = "wgpu")]
fn count(
    arguments: &BenchArguments,
    NetworkSettings { recipe, architecture, input }: &NetworkSettings,
    selected: &Selected,
) -> anyhow::Result<ExitCode> {
    let counts = counts::Counts::of(architecture, *input, &recipe.training, &selected.device)?;
    match arguments.format {
        Format::Json => print_json(&counts.as_json())?,
        Format::Text => print_text(&counts.as_text())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Times every layer with the CPU kernels.
#[cfg(any(feature = "ndarray", feature = "flex"))]
fn time(
    arguments: &BenchArguments,
    NetworkSettings { recipe, architecture, input }: &NetworkSettings,
    selected: &Selected,
) -> anyhow::Result<ExitCode> {
    let training = &recipe.training;
    selected.note_precision(training.precision);
    let steps = arguments.steps as usize;
    let timing =
        timing::time_layers(architecture, *input, training.batch_size, steps, training.precision)?;
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

/// Reports that this program has no kernels for a GPU.
#[cfg(not(feature = "wgpu"))]
fn count(_: &BenchArguments, _: &NetworkSettings, selected: &Selected) -> anyhow::Result<ExitCode> {
    Err(not_built(selected))
}

/// Reports that this program has no CPU kernels.
#[cfg(not(any(feature = "ndarray", feature = "flex")))]
fn time(_: &BenchArguments, _: &NetworkSettings, selected: &Selected) -> anyhow::Result<ExitCode> {
    Err(not_built(selected))
}

/// [`Selected::choose`] returns only backends that are built in.
#[cfg(not(all(feature = "wgpu", any(feature = "ndarray", feature = "flex"))))]
fn not_built(selected: &Selected) -> anyhow::Error {
    anyhow::anyhow!("nin-cli was built without the backend `{}`", selected.backend.name())
}
