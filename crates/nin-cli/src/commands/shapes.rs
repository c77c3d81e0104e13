//! `shapes`: computes every layer's output shape without creating a tensor.

use std::process::ExitCode;

use anyhow::ensure;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use nin_model::{Architecture, Initialization, LayerShape, NetworkInNetwork, NetworkShapes};
use serde_json::{Value, json};

use crate::arguments::{ShapesArguments, ShapesFormat};
use crate::backend::{DeviceRequest, Selected, Task};
use crate::output::{note, print_json, print_text};
use crate::settings::NetworkSettings;
use crate::terminal::printable_text;

const BYTES_PER_ACTIVATION: u64 = 4;

pub fn run(arguments: &ShapesArguments) -> anyhow::Result<ExitCode> {
    let NetworkSettings { architecture, input, .. } =
        NetworkSettings::resolve(&arguments.config, &[])?;
    let shapes = architecture.shapes(arguments.input.unwrap_or(input))?;
    if let Some(choice) = arguments.backend {
        let selected = Selected::choose(DeviceRequest::of(choice))?;
        selected.run(Check { architecture: &architecture, shapes: &shapes })?;
        note(format!("checked with a forward pass: {}", selected.describe()));
    }
    match arguments.format {
        ShapesFormat::Json => print_json(&as_json(&architecture, &shapes))?,
        ShapesFormat::Torch => print_text(&as_torch(&shapes))?,
        ShapesFormat::Table => print_text(&as_table(&architecture, &shapes))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(architecture: &Architecture, shapes: &NetworkShapes) -> Value {
    let layer = |layer: &LayerShape| {
        json!({
            "name": layer.name,
            "kind": layer.kind.name(),
            "output": layer.output,
            "parameters": layer.parameters,
            "macs": layer.macs,
            "activation_bytes": layer.activations * BYTES_PER_ACTIVATION,
        })
    };
    json!({
        "architecture": architecture.name(),
        "input": shapes.input,
        "layers": shapes.layers.iter().map(layer).collect::<Vec<_>>(),
        "parameters": shapes.parameters(),
        "macs": shapes.macs(),
    })
}

/// Formats the lines that the book's loop over the layers prints.
fn as_torch(shapes: &NetworkShapes) -> String {
    let line = |layer: &LayerShape| {
        let sizes: Vec<_> = layer.output.iter().map(ToString::to_string).collect();
        format!("{} output shape:\t torch.Size([{}])", layer.kind.torch_class(), sizes.join(", "))
    };
    shapes.layers.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn as_table(architecture: &Architecture, shapes: &NetworkShapes) -> String {
    let row = |name: &str, output: &str, parameters: String, macs: String, bytes: String| {
        format!("{name:<22}{output:<20}{parameters:>12}{macs:>16}{bytes:>16}")
    };
    let sizes =
        |output: &[usize]| output.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
    let mut lines = vec![
        format!("{} on {}", architecture.name(), sizes(&shapes.input)),
        String::new(),
        row("layer", "output", "parameters".into(), "macs".into(), "bytes".into()),
    ];
    for layer in &shapes.layers {
        let bytes = layer.activations * BYTES_PER_ACTIVATION;
        lines.push(row(
            &layer.name,
            &sizes(&layer.output),
            grouped(layer.parameters),
            grouped(layer.macs),
            grouped(bytes),
        ));
    }
    let activations: u64 = shapes.layers.iter().map(|layer| layer.activations).sum();
    lines.push(row(
        "total",
        "",
        grouped(shapes.parameters()),
        grouped(shapes.macs()),
        grouped(activations * BYTES_PER_ACTIVATION),
    ));
    printable_text(&lines)
}

/// Formats `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Runs the network once and compares each layer's output with the computed shape.
struct Check<'a> {
    architecture: &'a Architecture,
    shapes: &'a NetworkShapes,
}

impl Task for Check<'_> {
    type Output = ();

    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<()>
    where
        B::InnerBackend: Backend<Device = B::Device>,
    {
        let weights = Initialization::PyTorch.weights(self.architecture, 0);
        let network = NetworkInNetwork::<B::InnerBackend>::from_weights(
            self.architecture,
            &weights,
            &device,
        )?;
        let images = Tensor::zeros(self.shapes.input, &device);
        let traced = network.trace(images);
        let counted: Vec<_> = self.shapes.layers.iter().map(|layer| layer.output.clone()).collect();
        ensure!(
            traced == counted,
            "the forward pass gave the shapes {traced:?}, expected {counted:?}"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!([0, 999, 1000, 762_297_352].map(grouped), ["0", "999", "1,000", "762,297,352"]);
    }
}
