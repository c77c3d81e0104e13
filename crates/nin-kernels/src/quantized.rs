//! Inference with int8 weights and activations.

use std::sync::{Arc, Mutex};

use crate::arch::generic::{PoolBytes, QUADS};
use crate::context::Context;
use crate::conv::quads::{self, Packed};
use crate::conv::{Kept, LayerWeights, Layout, Steps, direct};
use crate::error::{Error, expect_len};
use crate::geometry::{ConvGeometry, PoolGeometry};
use crate::lock::lock;
use crate::mlpconv::MlpconvGeometry;
use crate::panels::PANEL;
use crate::pool::push_step;
use crate::precision::Precision;
use crate::shared::Shared;
use crate::team::{Step, Work};

/// The largest product of an activation and a weight, as an absolute value.
const LARGEST_PRODUCT: usize = 255 * 128;

/// Multiply-accumulates that are worth another thread: they take about as long as two million in `f32`.
const MACS_PER_THREAD: u64 = 4_000_000;

/// A layer with int8 weights.
#[derive(Debug, Clone)]
pub struct QuantizedLayer {
    /// `[out, in, height, width]`.
    pub shape: [usize; 4],
    /// In this shape.
    pub weight: Vec<i8>,
    /// The scale of the weights of each output: a weight is the scale times its integer.
    pub weight_scale: Vec<f32>,
    /// Of each output.
    pub bias: Vec<f32>,
    /// The scale of the input: an activation is the scale times its byte.
    pub input_scale: f32,
}

/// The blocks of a network with int8 weights, prepared for inference.
///
/// The first layer computes in `f32`, because its input may be negative. Its output, and that of every other layer but the
/// last, is rounded to bytes, `round(activation / scale)` with ties to even. Sums of products of bytes are exact, so layers on
/// bytes have the same results for every instruction set.
#[derive(Debug)]
pub struct QuantizedInference {
    context: Context,
    first_weight: Vec<f32>,
    first_bias: Vec<f32>,
    first_packed: Kept,
    /// Below it, the absolute values of an image overflow no sum of the first layer.
    input_bound: f32,
    /// The scale of the first layer's output.
    first_scale: f32,
    layers: Vec<Arc<Packed>>,
    /// Taken during a call.
    idle: Mutex<Vec<Image>>,
}

/// The steps of one image, with their buffers.
#[derive(Debug)]
struct Image {
    blocks: Vec<MlpconvGeometry>,
    threads: usize,
    input: Arc<Shared>,
    work: Arc<Work>,
    output: Arc<Shared>,
}

impl QuantizedInference {
    /// Packs the weights of a network: weight and bias of the first layer, and all other layers in order.
    ///
    /// # Errors
    /// [`Error::Length`] where there is no other layer, or a length is not that of a layer's shape; [`Error::TooLarge`] for
    /// layers whose sums may overflow.
    pub fn new(
        context: &Context,
        [first_weight, first_bias]: [Vec<f32>; 2],
        layers: Vec<QuantizedLayer>,
    ) -> Result<Self, Error> {
        let Some(first_scale) = layers.first().map(|layer| layer.input_scale) else {
            return Err(Error::Length { name: "layers", expected: 1, found: 0 });
        };
        let next_scales: Vec<Option<f32>> =
            layers[1..].iter().map(|layer| Some(layer.input_scale)).chain([None]).collect();
        let packed = layers
            .into_iter()
            .zip(next_scales)
            .map(|(layer, output_scale)| layer.packed(context, output_scale).map(Arc::new));
        Ok(Self {
            layers: packed.collect::<Result<_, _>>()?,
            context: context.clone().with_precision(Precision::Fp32),
            input_bound: input_bound(&first_weight, &first_bias),
            first_weight,
            first_bias,
            first_packed: Kept::default(),
            first_scale,
            idle: Mutex::default(),
        })
    }

    /// Computes consecutive blocks of the network's sizes. The input is `[batch, channels, height, width]`, the output in
    /// panels. Threads share a single image, and otherwise take images of their own.
    ///
    /// A byte cannot say NaN. So the whole output of an image is NaN if a value of the image is NaN or infinite, or so large that the
    /// first layer may overflow.
    ///
    /// # Errors
    /// [`Error::Length`] where the blocks are not the network's, do not follow one another, or a slice has the wrong length.
    pub fn run(
        &self,
        blocks: &[MlpconvGeometry],
        planes: &[f32],
        output: &mut [f32],
    ) -> Result<(), Error> {
        let batch = self.check(blocks, planes, output)?;
        if batch == 1 {
            let layers = blocks.iter().flat_map(MlpconvGeometry::layers);
            let macs: u64 = layers.map(ConvGeometry::macs).sum();
            let worth = usize::try_from(macs / MACS_PER_THREAD).unwrap_or(usize::MAX);
            let threads = worth.clamp(1, self.context.threads());
            self.run_image(blocks, threads, planes, output);
            return Ok(());
        }
        let images = planes
            .chunks_exact(planes.len() / batch)
            .zip(output.chunks_exact_mut(output.len() / batch));
        self.context.each(images, |(planes, output)| self.run_image(blocks, 1, planes, output));
        Ok(())
    }

    /// Checks the operands, and returns the number of images.
    fn check(
        &self,
        blocks: &[MlpconvGeometry],
        planes: &[f32],
        output: &[f32],
    ) -> Result<usize, Error> {
        let layers: Vec<&ConvGeometry> = blocks.iter().flat_map(MlpconvGeometry::layers).collect();
        expect_len("layers", layers.len(), self.layers.len() + 1)?;
        expect_len("input", planes.len(), layers[0].input_planes_len())?;
        expect_len("weight", self.first_weight.len(), layers[0].weight_len())?;
        expect_len("bias", self.first_bias.len(), layers[0].out_channels)?;
        for (packed, layer) in self.layers.iter().zip(&layers[1..]) {
            let [outputs, inputs, height, width] = packed.shape();
            expect_len("output channels", layer.out_channels, outputs)?;
            expect_len("input channels", layer.in_channels, inputs)?;
            expect_len("kernel height", layer.kernel[0], height)?;
            expect_len("kernel width", layer.kernel[1], width)?;
        }
        let mut len = output.len();
        for block in blocks.iter().rev() {
            expect_len("output", len, block.output_len())?;
            len = block.layers()[0].input_len();
        }
        Ok(layers[0].batch())
    }

    /// Computes one image.
    fn run_image(
        &self,
        blocks: &[MlpconvGeometry],
        threads: usize,
        planes: &[f32],
        output: &mut [f32],
    ) {
        // Without a branch for each value.
        let in_range = |found, value: &f32| found & (value.abs() < self.input_bound);
        if !planes.iter().fold(true, in_range) {
            output.fill(f32::NAN);
            return;
        }
        let mut image = self.take(blocks, threads);
        // SAFETY: no thread has begun with the work.
        let input = unsafe { image.input.part(0, image.input.len()) };
        input.copy_from_slice(planes);
        self.context.share(&image.work);
        image.work.wait_for_helpers();
        // SAFETY: all of the work is done.
        output.copy_from_slice(unsafe { image.output.values() });
        if let Some(work) = Arc::get_mut(&mut image.work) {
            work.restart();
            lock(&self.idle).push(image);
        }
        // Otherwise a thread was interrupted on its way out, and still looks at this image's work.
    }

    /// Takes the steps of an image of these sizes from those that are idle, or prepares them.
    fn take(&self, blocks: &[MlpconvGeometry], threads: usize) -> Image {
        let mut idle = lock(&self.idle);
        // Images of other sizes are unlikely to come back.
        idle.retain(|image| image.blocks == blocks && image.threads == threads);
        let found = idle.pop();
        drop(idle);
        found.unwrap_or_else(|| self.prepare(blocks, threads))
    }

    fn prepare(&self, blocks: &[MlpconvGeometry], threads: usize) -> Image {
        let first = &blocks[0].layers()[0];
        let len = first.input_planes_len() / first.batch();
        let mut steps = Steps::new(&self.context, len, threads);
        let input = steps.values();
        let weight = LayerWeights::with_kept(&self.first_weight, &self.first_packed);
        direct::push_steps(&mut steps, first, Layout::Planes, weight, Some(&self.first_bias));
        quads::push_quantize(&mut steps, self.first_scale.recip());
        let mut packed = self.layers.iter();
        for (index, block) in blocks.iter().enumerate() {
            let is_first = index == 0;
            let layers = block.layers().iter().skip(usize::from(is_first));
            for (layer, packed) in layers.zip(packed.by_ref()) {
                quads::push_steps(&mut steps, layer, packed);
            }
            match block.pool() {
                // The output of the last layer is not bytes.
                Some(pool) if packed.len() == 0 => {
                    push_step(&mut steps, &PoolGeometry { batch: 1, ..*pool });
                }
                Some(pool) => push_pool(&mut steps, pool),
                None => {}
            }
        }
        let output = steps.values();
        let work = Arc::new(Work::new(steps.finish(), threads));
        Image { blocks: blocks.to_vec(), threads, input, work, output }
    }
}

/// Returns a bound of an image's absolute values below which no sum of the first layer overflows: all weights together with their
/// biases do not. No value is below it if a weight or a bias is not finite.
fn input_bound(weight: &[f32], bias: &[f32]) -> f32 {
    let sum = |values: &[f32]| values.iter().map(|value| f64::from(value.abs())).sum::<f64>();
    // Half of the range is left for rounding.
    ((f64::from(f32::MAX) / 2.0 - sum(bias)) / (1.0 + sum(weight))) as f32
}

impl QuantizedLayer {
    /// Packs the layer. Its output has a scale unless it is the last one, which stays `f32`.
    fn packed(self, context: &Context, output_scale: Option<f32>) -> Result<Packed, Error> {
        let [outputs, inputs, height, width] = self.shape;
        let products = [inputs, height, width, LARGEST_PRODUCT];
        let sum = products.iter().try_fold(1, |sum: usize, size| sum.checked_mul(*size));
        if sum.is_none_or(|sum| i32::try_from(sum).is_err()) {
            return Err(Error::TooLarge);
        }
        expect_len("weight", self.weight.len(), outputs * inputs * height * width)?;
        expect_len("weight_scale", self.weight_scale.len(), outputs)?;
        expect_len("bias", self.bias.len(), outputs)?;
        let output = output_scale.unwrap_or(1.0);
        let scale = self.weight_scale.iter().map(|weight| self.input_scale * weight / output);
        let scale = scale.collect();
        let bias = self.bias.iter().map(|bias| bias / output).collect();
        let to_bytes = output_scale.is_some();
        Ok(Packed::new(context.int8(), self.shape, &self.weight, [scale, bias], to_bytes))
    }
}

/// The pooling of one image of bytes.
#[derive(Debug)]
struct Pool {
    context: Context,
    geometry: PoolGeometry,
    /// Panels of each part.
    ranges: Vec<(usize, usize)>,
    input: Arc<Shared>,
    output: Arc<Shared>,
}

impl Step for Pool {
    fn parts(&self) -> usize {
        self.ranges.len()
    }

    unsafe fn run(&self, part: usize) {
        let [input_size, output_size] = [self.geometry.input, self.geometry.output];
        let (in_plane, plane) = (input_size[0] * input_size[1], output_size[0] * output_size[1]);
        let (first, count) = self.ranges[part];
        for panel in first..first + count {
            // SAFETY: this step writes the output, each part its own panels, and nothing writes the input; any bits are bytes.
            let (input, output) = unsafe {
                let input = &self.input.values()[panel * in_plane * QUADS..][..in_plane * QUADS];
                let output = self.output.part(panel * plane * QUADS, plane * QUADS);
                (
                    std::slice::from_raw_parts(input.as_ptr().cast(), in_plane * PANEL),
                    std::slice::from_raw_parts_mut(output.as_mut_ptr().cast(), plane * PANEL),
                )
            };
            self.context.run(PoolBytes { geometry: &self.geometry, input, output });
        }
    }
}

fn push_pool(steps: &mut Steps, geometry: &PoolGeometry) {
    let panels = geometry.channels.div_ceil(PANEL);
    let len = panels * geometry.output[0] * geometry.output[1] * QUADS;
    steps.push(len, |steps, input, output| {
        let ranges = steps.ranges(panels);
        let context = steps.context().clone();
        Pool { context, geometry: *geometry, ranges, input, output }
    });
}
