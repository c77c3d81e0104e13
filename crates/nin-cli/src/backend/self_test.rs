//! One training step of a small network on an adapter, compared with plain loops on the CPU.
//!
//! Some drivers return zeros for a kernel that they cannot run, without an error (docs/gpu.md). The widths and the number of
//! pixels reach the largest tiles of nin-gpu, which ask for the most workgroup memory, and the kernels are those of both schemes of
//! Winograd's algorithm.

use std::fmt;

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor, TensorData};
use nin_data::ImageBatch;
use nin_model::{
    Architecture, Block, Initialization, ModelError, NetworkInNetwork, Pool, Precision, Weights,
    Width,
};
use nin_train::recipe::{OptimizerKind, Recipe};
use nin_train::{Classifier, StepLearner};

use super::task::Task;

/// Images of the batch.
const IMAGES: usize = 2;
/// Height and width of an image, and of every map before the pool.
const SIDE: usize = 8;
/// Kernel of the first convolution, and output channels of the three layers, of each block; the last are the classes.
/// Winograd's algorithm has schemes for kernels of 3x3 and 5x5.
const BLOCKS: [(usize, [usize; 3]); 3] =
    [(7, [128, 128, 16]), (5, [16, 16, 16]), (3, [16, 16, CLASSES])];
const CLASSES: usize = 10;
/// The max pool after the last block: windows of this side, at this distance, and their number along a side.
const POOL: usize = 3;
const POOL_STRIDE: usize = 2;
const WINDOWS: usize = (SIDE - POOL) / POOL_STRIDE + 1;

/// The largest relative distance between the two, of 32-bit sums of a few hundred products in another order. A kernel that
/// does not run leaves a distance of about 1.
const TOLERANCE: f64 = 0.01;

/// The largest relative distance in f16, whose eleven bits round the operands of nine layers. Rounding can push a unit near zero
/// to the other side of its ReLU, which then stops its gradient or lets it through. One such unit changes the gradient of a layer
/// of a few hundred by up to 7 %.
const F16_TOLERANCE: f64 = 0.2;

/// A factor on the loss with which no gradient fits f16.
const OVERFLOWING: f64 = (1_u64 << 40) as f64;

/// Takes the step on a device.
pub struct SelfTest {
    /// The precision to test.
    pub precision: Precision,
}

impl Task for SelfTest {
    type Output = Result<(), Fault>;

    fn precision(&self) -> Precision {
        self.precision
    }

    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<Self::Output>
    where
        B::InnerBackend: Backend<Device = B::Device>,
    {
        let architecture = architecture()?;
        let weights = Initialization::Kaiming.weights(&architecture, 1);
        let network = || {
            let network = NetworkInNetwork::<B>::from_weights(&architecture, &weights, &device)?;
            Ok::<_, ModelError>(network.with_precision(self.precision))
        };
        let is_f16 = self.precision == Precision::F16;
        let tolerance = if is_f16 { F16_TOLERANCE } else { TOLERANCE };
        let found = step(network()?, &weights, 1.0, &device)?;
        if let Err(fault) = compare(&expected(&weights)?, &found, tolerance)? {
            return Ok(Err(fault));
        }
        if is_f16 {
            let found = step(network()?, &weights, OVERFLOWING, &device)?;
            if found.iter().all(|(_, values)| values.iter().all(|value| value.is_finite())) {
                return Ok(Err(Fault::NoOverflow));
            }
        }
        Ok(Ok(()))
    }
}

/// What an adapter computes wrongly.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// A tensor is wrong.
    Difference {
        /// `logits`, or the name of the parameter whose gradient is wrong.
        tensor: String,
        /// The distance from the expected values, relative to their norm.
        distance: f64,
    },
    /// Gradients that are too large for f16 do not become infinite, so that a training would not notice them.
    NoOverflow,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Difference { tensor, distance } => {
                write!(formatter, "`{tensor}` is {:.0} % off", 100.0 * distance)
            }
            Self::NoOverflow => {
                formatter.write_str("gradients that are too large for f16 stay finite")
            }
        }
    }
}

fn architecture() -> Result<Architecture, ModelError> {
    let pool = Pool { kernel: POOL, stride: POOL_STRIDE, padding: 0, ceil_mode: false };
    let blocks = BLOCKS.iter().enumerate().map(|(at, &(kernel, widths))| Block {
        kernel,
        stride: 1,
        padding: kernel / 2,
        widths: widths.map(Width::Channels),
        pool: (at + 1 == BLOCKS.len()).then_some(pool),
        dropout: 0.0,
    });
    Architecture::new("self-test", 1, CLASSES, blocks.collect())
}

/// Returns the grey values of the images: [images, 1, side, side].
fn pixels() -> Vec<f32> {
    (0..IMAGES * SIDE * SIDE).map(|index| (index * 37 % 64) as f32 / 63.0).collect()
}

/// The class of an image.
fn label(image: usize) -> usize {
    image * 3
}

/// Logits and changes of the weights, by name, as the device computes them.
type Step = Vec<(String, Vec<f64>)>;

fn step<B: AutodiffBackend>(
    network: NetworkInNetwork<B>,
    weights: &Weights,
    loss_scale: f64,
    device: &B::Device,
) -> Result<Step, ModelError> {
    let mut recipe = Recipe::default();
    // The change of a weight is then its gradient.
    recipe.optimizer.kind = OptimizerKind::SGD;
    recipe.optimizer.learning_rate = 1.0;
    recipe.optimizer.weight_decay = 0.0;
    let mut learner = StepLearner::new(Classifier::new(network, 1), &recipe, 1, device)?;
    learner.set_loss_scale(loss_scale);
    let labels: Vec<usize> = (0..IMAGES).map(label).collect();
    let targets: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    // Not `step`, which skips an update that overflows.
    learner.begin_step();
    let (answers, gradients) = learner.gradients(ImageBatch {
        images: Tensor::from_data(TensorData::new(pixels(), [IMAGES, 1, SIDE, SIDE]), device),
        targets: Tensor::<B, 1, Int>::from_data(TensorData::new(targets, [IMAGES]), device),
        labels,
        mixed: None,
        indices: (0..IMAGES).collect(),
        epoch: 1,
        step: 0,
        place: None,
    })?;
    learner.update(gradients)?;
    let logits = answers.iter().flat_map(|(logits, ..)| logits.iter().map(|&it| f64::from(it)));
    let mut found = vec![("logits".to_owned(), logits.collect())];
    let updated = learner.classifier().network().to_weights()?;
    for (name, before) in weights.iter() {
        let after = updated.get(name).ok_or_else(|| missing(name))?;
        let pairs = before.values.iter().zip(&after.values);
        let changes = pairs.map(|(&before, &after)| f64::from(before) - f64::from(after));
        found.push((name.to_owned(), changes.collect()));
    }
    Ok(found)
}

/// A convolution of the reference, over values of [images * pixels, channels].
struct Layer {
    /// [outputs, inputs * kernel * kernel]
    weight: Vec<f64>,
    bias: Vec<f64>,
    kernel: usize,
    /// `blocks.0.convolution`
    name: String,
}

impl Layer {
    fn of(weights: &Weights, name: String, kernel: usize) -> Result<Self, ModelError> {
        let values = |part: &str| -> Result<Vec<f64>, ModelError> {
            let full = format!("{name}.{part}");
            let tensor = weights.get(&full).ok_or_else(|| missing(&full))?;
            Ok(tensor.values.iter().map(|&value| f64::from(value)).collect())
        };
        Ok(Self { weight: values("weight")?, bias: values("bias")?, kernel, name })
    }

    /// Returns the length of a row of [`Self::weight`].
    fn inputs(&self) -> usize {
        self.weight.len() / self.bias.len()
    }

    /// Returns the index in the input of each value of the patches, [images * pixels, inputs]; `None` outside the image.
    fn patches(&self) -> Vec<Option<usize>> {
        let taps = self.kernel * self.kernel;
        let channels = self.inputs() / taps;
        let mut patches = Vec::with_capacity(IMAGES * SIDE * SIDE * self.inputs());
        for place in 0..IMAGES * SIDE * SIDE {
            let image = place / (SIDE * SIDE);
            for (channel, tap) in (0..channels).flat_map(|it| (0..taps).map(move |tap| (it, tap))) {
                let shifted = |at: usize, by: usize| {
                    (at % SIDE + by).checked_sub(self.kernel / 2).filter(|&at| at < SIDE)
                };
                let row = shifted(place / SIDE, tap / self.kernel);
                let column = shifted(place, tap % self.kernel);
                patches.push(row.zip(column).map(|(row, column)| {
                    ((image * SIDE + row) * SIDE + column) * channels + channel
                }));
            }
        }
        patches
    }

    /// Returns `relu(convolution + bias)`, [images * pixels, outputs].
    fn forward(&self, input: &[f64]) -> Vec<f64> {
        let mut output = Vec::with_capacity(IMAGES * SIDE * SIDE * self.bias.len());
        for patch in self.patches().chunks_exact(self.inputs()) {
            let patch: Vec<f64> = patch.iter().map(|at| at.map_or(0.0, |at| input[at])).collect();
            for (weight, bias) in self.weight.chunks_exact(self.inputs()).zip(&self.bias) {
                let sum: f64 = patch.iter().zip(weight).map(|(x, w)| x * w).sum();
                output.push((sum + bias).max(0.0));
            }
        }
        output
    }

    /// Adds the gradients of weight and bias to `step`, and returns the gradient of the input, for a gradient of the sums
    /// before ReLU, [images * pixels, outputs].
    fn backward(&self, input: &[f64], gradient: &[f64], step: &mut Step) -> Vec<f64> {
        let (outputs, inputs) = (self.bias.len(), self.inputs());
        let mut of_weight = vec![0.0; self.weight.len()];
        let mut of_bias = vec![0.0; outputs];
        let mut of_input = vec![0.0; input.len()];
        let patches = self.patches();
        for (patch, gradient) in patches.chunks_exact(inputs).zip(gradient.chunks_exact(outputs)) {
            for (output, &gradient) in gradient.iter().enumerate().filter(|(_, it)| **it != 0.0) {
                of_bias[output] += gradient;
                let range = output * inputs..(output + 1) * inputs;
                let of_weight = of_weight[range.clone()].iter_mut();
                for ((of_weight, w), at) in of_weight.zip(&self.weight[range]).zip(patch) {
                    if let Some(at) = *at {
                        *of_weight += gradient * input[at];
                        of_input[at] += gradient * w;
                    }
                }
            }
        }
        step.push((format!("{}.weight", self.name), of_weight));
        step.push((format!("{}.bias", self.name), of_bias));
        of_input
    }
}

/// Computes the step with plain loops in 64 bits.
fn expected(weights: &Weights) -> Result<Step, ModelError> {
    let mut layers = Vec::new();
    for (block, (kernel, _)) in BLOCKS.into_iter().enumerate() {
        for (name, kernel) in [("convolution", kernel), ("cccp1", 1), ("cccp2", 1)] {
            layers.push(Layer::of(weights, format!("blocks.{block}.{name}"), kernel)?);
        }
    }
    let mut inputs = vec![pixels().into_iter().map(f64::from).collect::<Vec<_>>()];
    for layer in &layers {
        inputs.extend(inputs.last().map(|input| layer.forward(input)));
    }
    let maps = inputs.pop().unwrap_or_default(); // [images * pixels, classes]
    let classes = CLASSES;
    let places = winners(&maps);
    let windows = WINDOWS * WINDOWS;
    let mut logits = Vec::new();
    let mut gradient = vec![0.0; maps.len()];
    for (image, places) in places.chunks_exact(windows * classes).enumerate() {
        let of_class = |class| places.iter().skip(class).step_by(classes);
        let mean = |class| of_class(class).map(|&at| maps[at]).sum::<f64>() / windows as f64;
        let of_image: Vec<f64> = (0..classes).map(mean).collect();
        let sum: f64 = of_image.iter().map(|logit| logit.exp()).sum();
        // The gradient of the mean cross-entropy.
        let of_logit = |class: usize| {
            let target = f64::from(u8::from(class == label(image)));
            (of_image[class].exp() / sum - target) / IMAGES as f64
        };
        for (window, &place) in places.iter().enumerate() {
            gradient[place] += of_logit(window % classes) / windows as f64;
        }
        logits.extend(of_image);
    }
    let mut step = vec![("logits".to_owned(), logits)];
    let mut output = maps;
    for (layer, input) in layers.iter().zip(inputs).rev() {
        for (gradient, _) in gradient.iter_mut().zip(&output).filter(|(_, value)| **value <= 0.0) {
            *gradient = 0.0;
        }
        gradient = layer.backward(&input, &gradient, &mut step);
        output = input;
    }
    Ok(step)
}

/// Returns the place of the maximum of each window of the pool: [images * windows, classes].
fn winners(maps: &[f64]) -> Vec<usize> {
    let classes = CLASSES;
    let mut places = Vec::new();
    for window in 0..IMAGES * WINDOWS * WINDOWS {
        let image = window / (WINDOWS * WINDOWS);
        let [row, column] =
            [window / WINDOWS % WINDOWS, window % WINDOWS].map(|it| it * POOL_STRIDE);
        for class in 0..classes {
            let place = |tap: usize| {
                let (row, column) = (row + tap / POOL, column + tap % POOL);
                ((image * SIDE + row) * SIDE + column) * classes + class
            };
            let first = |best: usize, at: usize| if maps[at] > maps[best] { at } else { best };
            places.push((1..POOL * POOL).map(place).fold(place(0), first));
        }
    }
    places
}

/// Returns the first tensor that is too far from its expected values.
fn compare(expected: &Step, found: &Step, tolerance: f64) -> Result<Result<(), Fault>, ModelError> {
    for (name, expected) in expected {
        let (_, found) = found.iter().find(|(it, _)| it == name).ok_or_else(|| missing(name))?;
        let norm = |values: &mut dyn Iterator<Item = f64>| {
            values.map(|value| value * value).sum::<f64>().sqrt()
        };
        let size = norm(&mut expected.iter().copied());
        let distance = norm(&mut expected.iter().zip(found).map(|(a, b)| a - b)) / size;
        if distance.is_nan() || distance > tolerance {
            return Ok(Err(Fault::Difference { tensor: name.clone(), distance }));
        }
    }
    Ok(Ok(()))
}

fn missing(name: &str) -> ModelError {
    ModelError::MissingTensor { name: name.to_owned() }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    type Training = burn::backend::Autodiff<burn_flex::Flex>;

    fn parts() -> (Architecture, Weights) {
        let architecture = architecture().unwrap();
        let weights = Initialization::Kaiming.weights(&architecture, 1);
        (architecture, weights)
    }

    #[test]
    fn the_cpu_passes_and_its_distance_is_that_of_rounding() {
        let (architecture, weights) = parts();
        let device = burn_flex::FlexDevice;
        let network = NetworkInNetwork::<Training>::from_weights(&architecture, &weights, &device);
        let found = step(network.unwrap(), &weights, 1.0, &device).unwrap();
        let expected = expected(&weights).unwrap();
        compare(&expected, &found, TOLERANCE).unwrap().unwrap();
        for ((name, expected), (_, found)) in
            expected.iter().map(|it| (it, found.iter().find(|(name, _)| *name == it.0).unwrap()))
        {
            let largest = expected.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
            for (expected, found) in expected.iter().zip(found) {
                assert!((expected - found).abs() < 1e-3 * largest, "{name}: {expected}, {found}");
            }
        }
    }

    #[test]
    fn zeros_nan_and_a_wrong_gradient_are_found() {
        let (_, weights) = parts();
        let right = expected(&weights).unwrap();
        for (at, (name, _)) in right.iter().enumerate() {
            for wrong in [0.0, f64::NAN] {
                let mut found = right.clone();
                found[at].1.fill(wrong);
                let fault = compare(&right, &found, TOLERANCE).unwrap().unwrap_err();
                assert!(matches!(&fault, Fault::Difference { tensor, .. } if tensor == name));
            }
        }
    }
}
