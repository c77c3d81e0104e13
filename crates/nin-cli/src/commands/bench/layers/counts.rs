//! `bench --layers` on wgpu: what each layer costs a GPU, counted and not timed.

use std::iter::Sum;

use nin_model::{Architecture, GpuCost, GpuLayer, Precision, gpu_layers};
use nin_train::recipe::TrainingRecipe;
use serde_json::{Value, json};

use crate::terminal::printable_text;

/// The report of `bench --layers` on wgpu.
pub(super) struct Counts<'a> {
    architecture: &'a str,
    input: [usize; 3],
    batch_size: usize,
    precision: Precision,
    device: &'a str,
    layers: Vec<GpuLayer>,
}

impl<'a> Counts<'a> {
    /// Counts the layers of a network on a batch.
    pub(super) fn of(
        architecture: &'a Architecture,
        input: [usize; 3],
        training: &TrainingRecipe,
        device: &'a str,
    ) -> anyhow::Result<Self> {
        let TrainingRecipe { batch_size, precision, .. } = *training;
        let layers = gpu_layers(architecture, input, batch_size, precision)?;
        let architecture = architecture.name();
        Ok(Self { architecture, input, batch_size, precision, device, layers })
    }

    /// Returns the sums of the forward and of the backward passes.
    fn sums(&self) -> [GpuCost; 2] {
        let sum = |cost: fn(&GpuLayer) -> GpuCost| GpuCost::sum(self.layers.iter().map(cost));
        [sum(|layer| layer.forward), sum(|layer| layer.backward)]
    }

    /// Returns the report as a JSON object.
    pub(super) fn as_json(&self) -> Value {
        let layers = self.layers.iter().map(|layer| {
            json!({
                "block": layer.block,
                "layer": layer.layer,
                "output_size": layer.output_size,
                "forward": as_json(layer.forward),
                "backward": as_json(layer.backward),
            })
        });
        let [forward, backward] = self.sums();
        json!({
            "architecture": self.architecture,
            "input": self.input,
            "batch_size": self.batch_size,
            "precision": self.precision.name(),
            "device": self.device,
            "layers": layers.collect::<Vec<_>>(),
            "forward": as_json(forward),
            "backward": as_json(backward),
        })
    }

    /// Returns the report as a table.
    pub(super) fn as_text(&self) -> String {
        let [channels, height, width] = self.input;
        let pass = ["dispatches", "workgroups", "GFLOP", "in tiles", "MB"];
        let [dispatches, workgroups, flops, executed, bytes] = pass;
        let header = format!("{dispatches:>11}{workgroups:>11}{flops:>9}{executed:>9}{bytes:>9}");
        let mut lines = vec![
            format!(
                "{} at {channels}x{height}x{width}, batches of {}, {}, on {}",
                self.architecture,
                self.batch_size,
                self.precision.name(),
                self.device
            ),
            "counted, not timed: the kernels of the layers, without dropout, loss and optimizer"
                .to_owned(),
            String::new(),
            format!("{:<22}{:>9}{:>49}{:>50}", "", "", "forward", "backward"),
            format!("{:<22}{:>9}{header} {header}", "layer", "output"),
        ];
        for layer in &self.layers {
            let [rows, columns] = layer.output_size;
            lines.push(format!(
                "{:<22}{:>9}{} {}",
                format!("{} {}", layer.block, layer.layer),
                format!("{rows}x{columns}"),
                as_text(layer.forward),
                as_text(layer.backward)
            ));
        }
        let [forward, backward] = self.sums();
        lines.push(format!("{:<31}{} {}", "sum", as_text(forward), as_text(backward)));
        printable_text(&lines)
    }
}

fn as_json(cost: GpuCost) -> Value {
    json!({
        "dispatches": cost.dispatches,
        "workgroups": cost.workgroups,
        "flops": cost.flops,
        "executed_flops": cost.executed_flops,
        "bytes": cost.bytes,
    })
}

fn as_text(cost: GpuCost) -> String {
    format!(
        "{:>11}{:>11}{:>9.2}{:>9.2}{:>9.1}",
        cost.dispatches,
        cost.workgroups,
        cost.flops as f64 / 1e9,
        cost.executed_flops as f64 / 1e9,
        cost.bytes as f64 / 1e6
    )
}
