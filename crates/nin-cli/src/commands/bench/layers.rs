//! `bench --layers`: every layer by itself, in milliseconds, GFLOP/s and per cent of the CPU's peak.

use std::process::ExitCode;

use crate::arguments::BenchArguments;
use crate::error::CommandError;
use crate::settings::NetworkSettings;

/// Times every layer by the CPU kernels.
#[cfg(any(feature = "ndarray", feature = "flex"))]
pub fn run(arguments: &BenchArguments, settings: &NetworkSettings) -> anyhow::Result<ExitCode> {
    use nin_model::time_layers;

    use crate::backend::{BackendName, Selected};
    use crate::output::{Format, print_json, print_text};

    let NetworkSettings { recipe, architecture, input } = settings;
    let selected = Selected::choose(arguments.device.backend, arguments.device.thread_count())?;
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

/// There are no kernels in this program.
#[cfg(not(any(feature = "ndarray", feature = "flex")))]
pub fn run(_: &BenchArguments, _: &NetworkSettings) -> anyhow::Result<ExitCode> {
    Err(no_kernels())
}

fn no_kernels() -> anyhow::Error {
    CommandError::new(
        "--layers times the CPU kernels, which the backend `wgpu` does not use",
        "name a CPU backend: --backend flex or --backend ndarray",
    )
    .into()
}

#[cfg(any(feature = "ndarray", feature = "flex"))]
mod table {
    use std::time::Duration;

    use nin_model::{LayerTiming, NetworkTiming};
    use serde_json::{Value, json};

    use crate::terminal::printable_text;

    /// What is printed.
    pub struct Table<'a> {
        pub architecture: &'a str,
        pub input: [usize; 3],
        pub batch_size: usize,
        pub precision: &'a str,
        pub threads: usize,
        pub device: &'a str,
        pub timing: &'a NetworkTiming,
    }

    /// Floating-point operations a second: a multiply-accumulate is two.
    fn flops(macs: u64, elapsed: Duration) -> f64 {
        2.0 * macs as f64 / elapsed.as_secs_f64()
    }

    fn milliseconds(elapsed: Duration) -> f64 {
        elapsed.as_secs_f64() * 1e3
    }

    impl Table<'_> {
        /// Milliseconds, GFLOP/s and per cent of the peak of both directions.
        fn rates(&self, layer: &LayerTiming) -> [[f64; 3]; 2] {
            let passes = [(1, layer.forward), (layer.backward_passes, layer.backward)];
            passes.map(|(passes, elapsed)| {
                let rate = flops(passes * layer.macs, elapsed);
                [milliseconds(elapsed), rate / 1e9, 100.0 * rate / self.timing.peak_flops]
            })
        }

        /// One JSON object.
        pub fn as_json(&self) -> Value {
            let layers = self.timing.layers.iter().map(|layer| {
                let [forward, backward] = self.rates(layer);
                json!({
                    "block": layer.block,
                    "layer": layer.layer,
                    "output_size": layer.output_size,
                    "algorithm": layer.algorithm,
                    "macs": layer.macs,
                    "forward_ms": forward[0],
                    "forward_gflops": forward[1],
                    "forward_percent": forward[2],
                    "backward_ms": backward[0],
                    "backward_gflops": backward[1],
                    "backward_percent": backward[2],
                })
            });
            json!({
                "architecture": self.architecture,
                "input": self.input,
                "batch_size": self.batch_size,
                "precision": self.precision,
                "threads": self.threads,
                "device": self.device,
                "kernels": self.timing.kernels,
                "peak_gflops": self.timing.peak_flops / 1e9,
                "layers": layers.collect::<Vec<_>>(),
            })
        }

        /// A table for people.
        pub fn as_text(&self) -> String {
            let [channels, height, width] = self.input;
            let mut lines = vec![
                format!(
                    "{} at {channels}x{height}x{width}, batches of {}, {}, {} threads, {} on {}",
                    self.architecture,
                    self.batch_size,
                    self.precision,
                    self.threads,
                    self.timing.kernels,
                    self.device
                ),
                format!(
                    "each layer by itself; GFLOP/s as the direct algorithm counts; peak {:.1} GFLOP/s in fp32",
                    self.timing.peak_flops / 1e9
                ),
                String::new(),
                format!(
                    "{:<22}{:>9}  {:<13}{:>9}{:>9}{:>7}{:>11}{:>9}{:>7}",
                    "layer",
                    "output",
                    "algorithm",
                    "fwd ms",
                    "GFLOP/s",
                    "peak",
                    "bwd ms",
                    "GFLOP/s",
                    "peak"
                ),
            ];
            let mut totals = [0.0; 2];
            for layer in &self.timing.layers {
                let rates = self.rates(layer);
                totals[0] += rates[0][0];
                totals[1] += rates[1][0];
                let [forward, backward] = rates.map(|[elapsed, gflops, percent]| {
                    if layer.macs == 0 {
                        format!("{elapsed:>9.2}{:>9}{:>7}", "-", "-")
                    } else {
                        format!("{elapsed:>9.2}{gflops:>9.1}{percent:>6.0}%")
                    }
                });
                let [rows, columns] = layer.output_size;
                lines.push(format!(
                    "{:<22}{:>9}  {:<13}{forward}  {backward}",
                    format!("{} {}", layer.block, layer.layer),
                    format!("{rows}x{columns}"),
                    layer.algorithm
                ));
            }
            lines.push(format!("{:<46}{:>9.2}{:>16}  {:>9.2}", "sum", totals[0], "", totals[1]));
            printable_text(&lines)
        }
    }
}
