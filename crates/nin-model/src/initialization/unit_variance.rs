//! Layer-sequential unit variance (Mishkin and Matas, "All you need is a good init",
//! arXiv:1511.06422), with each channel's mean removed by its bias.
//!
//! Every layer is scaled so that, over a batch of real images, its outputs before the ReLU have mean
//! 0 in each channel and variance 1 over all of them: each channel is open for a part of the images
//! and no layer shrinks or blows up what it is given. Outputs are linear in the weights, so that one
//! pass is exact where the paper iterates.

use nin_kernels::{Context, ConvGeometry, ConvInput, PANEL, PoolGeometry};
use serde::{Deserialize, Serialize};

use crate::block_geometry::block_geometry;
use crate::weights::layer_names;
use crate::{Architecture, ModelError, Weights};

/// What a layer's outputs were before it was scaled, over the batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerScale {
    /// The layer's name, as in `blocks.0.cccp1`.
    pub layer: String,
    /// The deviation of the outputs from their channels' means.
    pub deviation: f64,
}

/// What of a layer is fitted; the rest stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerPart {
    /// Nothing.
    None,
    /// Every output channel.
    Whole,
    /// These output channels.
    Channels(Vec<usize>),
}

impl LayerPart {
    fn contains(&self, channel: usize) -> bool {
        match self {
            Self::None => false,
            Self::Whole => true,
            Self::Channels(channels) => channels.contains(&channel),
        }
    }
}

/// What a layer is to give over the images, before its ReLU.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outputs {
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

impl Outputs {
    const UNIT: Self = Self { mean: 0.0, deviation: 1.0 };
}

/// [`Initialization::fit_new`](super::Initialization::fit_new), for these outputs of the last layer.
pub(super) fn fit(
    weights: &mut Weights,
    architecture: &Architecture,
    images: &[f32],
    input: [usize; 3],
    last: Outputs,
    new: &dyn Fn(&str) -> LayerPart,
) -> Result<Vec<LayerScale>, ModelError> {
    weights.check(architecture)?;
    let [channels, height, width] = input;
    let count = images.len() / (channels * height * width).max(1);
    let context = Context::shared()?;
    let mut pass =
        Pass { context, count, activations: images.to_vec(), passed: 0, scales: Vec::new() };
    let mut size = [height, width];
    for (index, (block, channels)) in architecture.block_channels().enumerate() {
        let convolution = [block.kernel, block.stride, block.padding];
        let geometry = block_geometry(count, channels, size, convolution, block.pool.as_ref())?;
        for (name, layer) in layer_names(index).into_iter().zip(geometry.layers()) {
            let is_last = pass.passed + 1 == 3 * architecture.blocks().len();
            let wanted = if is_last { last } else { Outputs::UNIT };
            pass.layer(&name, layer, (wanted, &new(&name)), weights)?;
        }
        if let Some(pool) = geometry.pool() {
            pass.pool(pool)?;
        }
        size = geometry.output_size();
    }
    Ok(pass.scales)
}

/// The batch on its way through the network.
struct Pass {
    context: Context,
    count: usize,
    /// Planes before the first layer, panels behind it.
    activations: Vec<f32>,
    /// Layers that they have passed.
    passed: usize,
    scales: Vec<LayerScale>,
}

impl Pass {
    fn layer(
        &mut self,
        name: &str,
        geometry: &ConvGeometry,
        (wanted, new): (Outputs, &LayerPart),
        weights: &mut Weights,
    ) -> Result<(), ModelError> {
        let bias = weights.values_mut(&format!("{name}.bias"))?.to_vec();
        let weight = weights.values_mut(&format!("{name}.weight"))?;
        let input = if self.passed == 0 {
            ConvInput::Planes(&self.activations)
        } else {
            ConvInput::Panels(&self.activations)
        };
        self.passed += 1;
        let mut outputs = vec![0.0; geometry.output_len()];
        if *new == LayerPart::None {
            self.context.conv_relu_forward(
                geometry,
                input,
                weight,
                Some(&bias),
                true,
                &mut outputs,
            )?;
            self.activations = outputs;
            return Ok(());
        }
        self.context.conv_relu_forward(geometry, input, weight, None, false, &mut outputs)?;

        let [_, channels] = geometry.channels();
        let statistics = Statistics::of(&outputs, self.count, channels);
        let deviation = statistics.deviation(new);
        let factor = if deviation > 0.0 { wanted.deviation / deviation } else { 1.0 };
        let factors: Vec<_> =
            (0..channels).map(|channel| if new.contains(channel) { factor } else { 1.0 }).collect();
        for (row, factor) in weight.chunks_exact_mut(weight.len() / channels).zip(&factors) {
            for value in row {
                *value = (f64::from(*value) * factor) as f32;
            }
        }
        let fitted = statistics.means.iter().map(|mean| wanted.mean - mean * factor).zip(&bias);
        let biases: Vec<_> = fitted
            .enumerate()
            .map(
                |(channel, (fitted, &bias))| {
                    if new.contains(channel) { fitted } else { f64::from(bias) }
                },
            )
            .collect();
        for (bias, value) in weights.values_mut(&format!("{name}.bias"))?.iter_mut().zip(&biases) {
            *bias = *value as f32;
        }
        statistics.scale_and_rectify(&mut outputs, &factors, &biases);
        self.activations = outputs;
        self.scales.push(LayerScale { layer: name.to_owned(), deviation });
        Ok(())
    }

    fn pool(&mut self, geometry: &PoolGeometry) -> Result<(), ModelError> {
        let mut pooled = vec![0.0; geometry.output_len()];
        self.context.max_pool_forward(geometry, &self.activations, &mut pooled, None)?;
        self.activations = pooled;
        Ok(())
    }
}

/// Mean and sum of squares of each channel, over images and pixels.
struct Statistics {
    channels: usize,
    image_len: usize,
    means: Vec<f64>,
    variances: Vec<f64>,
}

impl Statistics {
    /// Of `[count, panels, pixels, 16]`.
    fn of(outputs: &[f32], count: usize, channels: usize) -> Self {
        let image_len = outputs.len() / count;
        let pixels = image_len / (channels.div_ceil(PANEL) * PANEL);
        let total = (count * pixels) as f64;
        let sums = |term: &dyn Fn(usize, f64) -> f64| {
            let mut sums = vec![0.0; channels.div_ceil(PANEL) * PANEL];
            for image in outputs.chunks_exact(image_len) {
                for (panel, sums) in
                    image.chunks_exact(pixels * PANEL).zip(sums.chunks_exact_mut(PANEL).enumerate())
                {
                    let (number, sums) = sums;
                    for pixel in panel.chunks_exact(PANEL) {
                        for (lane, (sum, &value)) in sums.iter_mut().zip(pixel).enumerate() {
                            *sum += term(number * PANEL + lane, f64::from(value));
                        }
                    }
                }
            }
            sums.truncate(channels);
            sums.iter().map(|sum| sum / total).collect::<Vec<_>>()
        };
        let means = sums(&|_, value| value);
        let mut padded = means.clone();
        padded.resize(channels.div_ceil(PANEL) * PANEL, 0.0);
        let variances = sums(&|channel, value| (value - padded[channel]).powi(2));
        Self { channels, image_len, means, variances }
    }

    /// Of the outputs of these channels from their means.
    fn deviation(&self, part: &LayerPart) -> f64 {
        let channels = || (0..self.channels).filter(|&channel| part.contains(channel));
        let sum: f64 = channels().map(|channel| self.variances[channel]).sum();
        (sum / channels().count().max(1) as f64).sqrt()
    }

    /// The outputs as the scaled layer gives them, behind its ReLU: a factor and a bias per channel.
    fn scale_and_rectify(&self, outputs: &mut [f32], factors: &[f64], biases: &[f64]) {
        let panels = self.channels.div_ceil(PANEL);
        let panel_len = self.image_len / panels;
        for (index, panel) in outputs.chunks_exact_mut(panel_len).enumerate() {
            let first = index % panels * PANEL;
            // Channels that only fill up the last panel stay 0.
            let last = self.channels.min(first + PANEL);
            for pixel in panel.chunks_exact_mut(PANEL) {
                let of_channels = factors[first..last].iter().zip(&biases[first..last]);
                for (value, (factor, bias)) in pixel.iter_mut().zip(of_channels) {
                    *value = (f64::from(*value) * factor + bias).max(0.0) as f32;
                }
            }
        }
    }
}
