//! The network: its layers, and its first filters.

use image::ExtendedColorType;
use maud::html;
use nin_model::{HostTensor, ModelMetadata, NetworkShapes, Weights};

use super::page::{self, Section, cell, grouped, missing, table};
use crate::drawing::{self, Figure};
use crate::pictures::encode_png;

/// Filters to draw.
const MOST_FILTERS: usize = 256;
/// Pixels between filters.
const GAP: usize = 1;
/// The side of a filter's pixel, in CSS pixels.
const SHOWN_PIXEL: usize = 8;
const BYTES_PER_ACTIVATION: u64 = 4;

/// A trained network.
pub struct Network<'a> {
    /// Classes, preprocessing, architecture.
    pub metadata: &'a ModelMetadata,
    /// Its weights.
    pub weights: &'a Weights,
    /// Its layers, at the input size that it was trained with.
    pub shapes: NetworkShapes,
}

/// Returns a row for each layer.
pub(super) fn layers(network: &Network<'_>) -> Section {
    let sizes = |sizes: &[usize]| {
        sizes.iter().skip(1).map(ToString::to_string).collect::<Vec<_>>().join("×")
    };
    let shapes = &network.shapes;
    let mut rows: Vec<_> = shapes
        .layers
        .iter()
        .map(|layer| {
            vec![
                cell(&layer.name),
                cell(sizes(&layer.output)),
                cell(grouped(layer.parameters)),
                cell(grouped(layer.macs)),
                cell(grouped(layer.activations * BYTES_PER_ACTIVATION)),
            ]
        })
        .collect();
    let bytes: u64 =
        shapes.layers.iter().map(|layer| layer.activations * BYTES_PER_ACTIVATION).sum();
    rows.push(vec![
        cell("total"),
        cell(""),
        cell(grouped(shapes.parameters())),
        cell(grouped(shapes.macs())),
        cell(grouped(bytes)),
    ]);
    let caption = format!(
        "Layers of {} for an image of {}",
        network.metadata.architecture.name(),
        sizes(&shapes.input)
    );
    let head = ["layer", "output", "parameters", "multiply-accumulates", "bytes"];
    Section { id: "layers", title: "Layers", body: table(&caption, &head, &rows) }
}

/// The first convolution's filters, each scaled from black, its smallest weight, to white, its largest.
pub(super) struct Filters {
    /// The picture, in grey and alpha.
    pub(super) png: Vec<u8>,
    /// `[height, width]`, in pixels.
    pub(super) size: [usize; 2],
    /// The caption.
    caption: String,
    alternative: String,
}

impl Filters {
    /// Draws the filters of a network, or returns `None` if it does not start with a convolution.
    pub(super) fn of(network: &Network<'_>) -> anyhow::Result<Option<Self>> {
        let Some(weight) = network.weights.get("blocks.0.convolution.weight") else {
            return Ok(None);
        };
        let [filters, channels, kernel, _] = weight.shape[..] else { return Ok(None) };
        let shown = filters.min(MOST_FILTERS);
        let columns = (1..=shown).find(|columns| columns * columns * 2 >= shown * 3).unwrap_or(1);
        let rows = shown.div_ceil(columns);
        let cell = kernel + GAP;
        let size = [rows * cell - GAP, columns * cell - GAP];
        let pixels = sheet(weight, shown, columns, size);
        let png = encode_png(&pixels, size, ExtendedColorType::La8)?;
        let of = if shown < filters {
            format!("The first {shown} of {filters}")
        } else {
            format!("All {filters}")
        };
        let mean = if channels > 1 {
            format!(", the mean over {channels} channels")
        } else {
            String::new()
        };
        let caption = format!(
            "{of} filters of the first convolution, {kernel}×{kernel}{mean}: black is a filter's \
             smallest weight, white its largest."
        );
        let alternative = format!("{shown} filters of {kernel} by {kernel} weights, in grey");
        Ok(Some(Self { png, size, caption, alternative }))
    }

    /// Returns the filters as a file.
    pub(super) fn figure(&self) -> Figure {
        let [height, width] = self.size.map(|side| (side * SHOWN_PIXEL) as f64);
        let picture = drawing::image(&self.png, [0.0, 0.0, width, height]);
        Figure::new("filters", [-4.0, -4.0, width + 8.0, height + 8.0], &self.caption, &picture)
    }
}

/// Returns the filters with a caption.
pub(super) fn filters(network: &Network<'_>) -> anyhow::Result<Section> {
    let (id, title) = ("filters", "First filters");
    let Some(filters) = Filters::of(network)? else {
        return Ok(missing(id, title, "the weights have no first convolution"));
    };
    let Filters { png, size, caption, alternative } = filters;
    let picture = page::image(&png, &alternative, size.map(|side| side * SHOWN_PIXEL));
    let body = html! { figure class="filters" { (picture) figcaption { (caption) } } };
    Ok(Section { id, title, body })
}

/// Draws the filters in grey and alpha, with transparent gaps.
fn sheet(
    weight: &HostTensor,
    shown: usize,
    columns: usize,
    [height, width]: [usize; 2],
) -> Vec<u8> {
    let [_, channels, kernel, _] = weight.shape[..] else { return Vec::new() };
    let area = kernel * kernel;
    let mut pixels = vec![0; height * width * 2];
    for (number, filter) in weight.values.chunks_exact(channels * area).take(shown).enumerate() {
        let mean =
            |at: usize| (0..channels).map(|channel| filter[channel * area + at]).sum::<f32>();
        let values: Vec<f32> = (0..area).map(mean).collect();
        let low = values.iter().copied().fold(f32::INFINITY, f32::min);
        let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let range = if high > low { high - low } else { 1.0 };
        let (top, left) = (number / columns * (kernel + GAP), number % columns * (kernel + GAP));
        for (at, value) in values.iter().enumerate() {
            let pixel = (top + at / kernel) * width + left + at % kernel;
            pixels[pixel * 2] = ((value - low) / range * 255.0) as u8;
            pixels[pixel * 2 + 1] = 255;
        }
    }
    pixels
}
