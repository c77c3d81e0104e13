//! Layer-sequential unit variance (Mishkin and Matas, "All you need is a good init", arXiv:1511.06422), with biases that
//! remove the mean of each channel.
//!
//! Every layer is scaled so that, over a batch of training images, its outputs before the ReLU have mean 0 in each channel
//! and variance 1 over all channels. So each ReLU is active for some images, and no layer shrinks or amplifies its input.
//! Outputs are linear in the weights: one pass is exact where the paper iterates.

use nin_kernels::{Context, ConvGeometry, ConvInput, Error, PANEL, PoolGeometry};
use serde::{Deserialize, Serialize};

use crate::block_geometry::block_geometry;
use crate::weights::layer_names;
use crate::{Architecture, ModelError, Weights};

/// The statistics of the outputs of a layer over the batch, before it was scaled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerScale {
    /// The name of the layer, such as `blocks.0.cccp1`.
    pub layer: String,
    /// The standard deviation of the outputs around the means of their channels.
    pub deviation: f64,
}

/// The part of a layer that is fitted; the rest does not change.
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

/// The target statistics of a layer over the images, before its ReLU.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outputs {
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

impl Outputs {
    const UNIT: Self = Self { mean: 0.0, deviation: 1.0 };
}

/// Implements [`Initialization::fit_new`](super::Initialization::fit_new), with the target statistics of the last layer.
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
        // On 32-bit targets, the sizes of all images at once may overflow: then they pass in equal parts.
        let mut batch = count;
        let geometry = loop {
            match block_geometry(batch, channels, size, convolution, block.pool.as_ref()) {
                Err(Error::TooLarge) if batch > 1 && batch.is_multiple_of(2) => batch /= 2,
                geometry => break geometry?,
            }
        };
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

/// A forward pass of the batch, layer by layer.
struct Pass {
    context: Context,
    count: usize,
    /// Planes before the first layer, panels after it.
    activations: Vec<f32>,
    /// The number of layers that are done.
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
        let outputs_of = |bias: Option<&[f32]>, relu: bool| {
            let parts = self.count / geometry.batch();
            let mut outputs = vec![0.0; geometry.output_len() * parts];
            let inputs = self.activations.chunks_exact(self.activations.len() / parts);
            for (input, output) in inputs.zip(outputs.chunks_exact_mut(geometry.output_len())) {
                let input = if self.passed == 0 {
                    ConvInput::Planes(input)
                } else {
                    ConvInput::Panels(input)
                };
                self.context.conv_relu_forward(geometry, input, weight, bias, relu, output)?;
            }
            Ok::<_, Error>(outputs)
        };
        if *new == LayerPart::None {
            self.activations = outputs_of(Some(&bias), true)?;
            self.passed += 1;
            return Ok(());
        }
        let mut outputs = outputs_of(None, false)?;
        self.passed += 1;

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
        let parts = self.count / geometry.batch();
        let mut pooled = vec![0.0; geometry.output_len() * parts];
        let inputs = self.activations.chunks_exact(self.activations.len() / parts);
        for (input, output) in inputs.zip(pooled.chunks_exact_mut(geometry.output_len())) {
            self.context.max_pool_forward(geometry, input, output, None)?;
        }
        self.activations = pooled;
        Ok(())
    }
}

/// The mean and the variance of each channel, over images and pixels.
struct Statistics {
    channels: usize,
    image_len: usize,
    means: Vec<f64>,
    variances: Vec<f64>,
}

impl Statistics {
    /// Computes the statistics of `[count, panels, pixels, 16]`.
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

    /// Returns the standard deviation of the outputs of some channels around their means.
    fn deviation(&self, part: &LayerPart) -> f64 {
        let channels = || (0..self.channels).filter(|&channel| part.contains(channel));
        let sum: f64 = channels().map(|channel| self.variances[channel]).sum();
        (sum / channels().count().max(1) as f64).sqrt()
    }

    /// Scales the outputs by a factor and a bias per channel, and applies the ReLU: the outputs of the scaled layer.
    fn scale_and_rectify(&self, outputs: &mut [f32], factors: &[f64], biases: &[f64]) {
        let panels = self.channels.div_ceil(PANEL);
        let panel_len = self.image_len / panels;
        for (index, panel) in outputs.chunks_exact_mut(panel_len).enumerate() {
            let first = index % panels * PANEL;
            // Channels that pad the last panel stay 0.
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
