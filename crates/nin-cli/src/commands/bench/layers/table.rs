//! The table of `bench --layers`.

use std::time::Duration;

use serde_json::{Value, json};

use super::timing::{LayerTiming, NetworkTiming};
use crate::terminal::printable_text;

/// The report of `bench --layers`.
pub(super) struct Table<'a> {
    pub(super) architecture: &'a str,
    pub(super) input: [usize; 3],
    pub(super) batch_size: usize,
    pub(super) precision: &'a str,
    pub(super) threads: usize,
    pub(super) device: &'a str,
    pub(super) timing: &'a NetworkTiming,
}

/// Returns floating-point operations per second; a multiply-accumulate is two.
fn flops(macs: u64, elapsed: Duration) -> f64 {
    2.0 * macs as f64 / elapsed.as_secs_f64()
}

fn milliseconds(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e3
}

impl Table<'_> {
    /// Returns the milliseconds, GFLOP/s and per cent of the peak of both passes.
    fn rates(&self, layer: &LayerTiming) -> [[f64; 3]; 2] {
        let passes = [(1, layer.forward), (layer.backward_passes, layer.backward)];
        passes.map(|(passes, elapsed)| {
            let rate = flops(passes * layer.macs, elapsed);
            [milliseconds(elapsed), rate / 1e9, 100.0 * rate / self.timing.peak_flops]
        })
    }

    /// Returns the report as a JSON object.
    pub(super) fn as_json(&self) -> Value {
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

    /// Returns the report as a table.
    pub(super) fn as_text(&self) -> String {
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
                "each layer separately; GFLOP/s of the direct algorithm; peak {:.1} GFLOP/s in \
                 fp32",
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
