//! One training step of a small network on an adapter, compared with plain loops on the CPU.
//!
//! Some drivers return zeros for a kernel that they cannot run, without an error (docs/gpu.md). The widths and the number of
//! pixels reach the largest tiles of nin-gpu, which ask for the most workgroup memory.

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor, TensorData};
use nin_data::ImageBatch;
use nin_model::{
    Architecture, Block, Initialization, ModelError, NetworkInNetwork, Pool, Weights, Width,
};
use nin_train::recipe::{OptimizerKind, Recipe};
use nin_train::{Classifier, StepLearner};

use super::task::Task;

/// Images of the batch.
const IMAGES: usize = 2;
/// Height and width of an image.
const SIDE: usize = 8;
/// Height and width of the first kernel.
const KERNEL: usize = 3;
/// Output channels of the three layers; the last are the classes.
const WIDTHS: [usize; 3] = [128, 128, 10];
/// The max pool after the layers: windows of this side, at this distance, and their number along a side.
const POOL: usize = 3;
const POOL_STRIDE: usize = 2;
const WINDOWS: usize = (SIDE - POOL) / POOL_STRIDE + 1;

/// The largest relative distance between the two, of 32-bit sums of 128 products in another order. A kernel that does not
/// run leaves a distance of about 1.
const TOLERANCE: f64 = 0.01;

/// Takes the step on a device.
pub struct SelfTest;

impl Task for SelfTest {
    type Output = Result<(), Difference>;

    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<Self::Output>
    where
        B::InnerBackend: Backend<Device = B::Device>,
    {
        let architecture = architecture()?;
        let weights = Initialization::Kaiming.weights(&architecture, 1);
        let found = step::<B>(&architecture, &weights, &device)?;
        Ok(compare(&expected(&weights)?, &found)?)
    }
}

/// What an adapter computes wrongly.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// `logits`, or the name of the parameter whose gradient is wrong.
    pub tensor: String,
    /// The distance from the expected values, relative to their norm.
    pub distance: f64,
}

fn architecture() -> Result<Architecture, ModelError> {
    let [first, second, classes] = WIDTHS;
    let block = Block {
        kernel: KERNEL,
        stride: 1,
        padding: KERNEL / 2,
        widths: [first, second, classes].map(Width::Channels),
        pool: Some(Pool { kernel: POOL, stride: POOL_STRIDE, padding: 0, ceil_mode: false }),
        dropout: 0.0,
    };
    Architecture::new("self-test", 1, classes, vec![block])
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
    architecture: &Architecture,
    weights: &Weights,
    device: &B::Device,
) -> Result<Step, ModelError> {
    let network = NetworkInNetwork::<B>::from_weights(architecture, weights, device)?;
    let mut recipe = Recipe::default();
    // The change of a weight is then its gradient.
    recipe.optimizer.kind = OptimizerKind::SGD;
    recipe.optimizer.learning_rate = 1.0;
    recipe.optimizer.weight_decay = 0.0;
    let mut learner = StepLearner::new(Classifier::new(network, 1), &recipe, 1, device)?;
    let labels: Vec<usize> = (0..IMAGES).map(label).collect();
    let targets: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    let answers = learner.step(ImageBatch {
        images: Tensor::from_data(TensorData::new(pixels(), [IMAGES, 1, SIDE, SIDE]), device),
        targets: Tensor::<B, 1, Int>::from_data(TensorData::new(targets, [IMAGES]), device),
        labels,
        mixed: None,
        indices: (0..IMAGES).collect(),
        epoch: 1,
        step: 0,
        place: None,
    })?;
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

/// A layer of the reference: `rows` of its input times its weights.
struct Layer {
    /// [outputs, inputs]
    weight: Vec<f64>,
    bias: Vec<f64>,
    name: &'static str,
}

impl Layer {
    fn of(weights: &Weights, name: &'static str) -> Result<Self, ModelError> {
        let values = |part: &str| -> Result<Vec<f64>, ModelError> {
            let full = format!("blocks.0.{name}.{part}");
            let tensor = weights.get(&full).ok_or_else(|| missing(&full))?;
            Ok(tensor.values.iter().map(|&value| f64::from(value)).collect())
        };
        Ok(Self { weight: values("weight")?, bias: values("bias")?, name })
    }

    /// Returns `relu(input * weight^T + bias)`, [rows, outputs], for an input of [rows, inputs].
    fn forward(&self, input: &[f64]) -> Vec<f64> {
        let (outputs, inputs) = (self.bias.len(), self.weight.len() / self.bias.len());
        let mut output = Vec::with_capacity(input.len() / inputs * outputs);
        for row in input.chunks_exact(inputs) {
            for (weight, bias) in self.weight.chunks_exact(inputs).zip(&self.bias) {
                let sum: f64 = row.iter().zip(weight).map(|(x, w)| x * w).sum();
                output.push((sum + bias).max(0.0));
            }
        }
        output
    }

    /// Adds the gradients of weight and bias to `step`, and returns the gradient of the input, for a gradient of the sums
    /// before ReLU, [rows, outputs].
    fn backward(&self, input: &[f64], gradient: &[f64], step: &mut Step) -> Vec<f64> {
        let (outputs, inputs) = (self.bias.len(), self.weight.len() / self.bias.len());
        let mut of_weight = vec![0.0; self.weight.len()];
        let mut of_bias = vec![0.0; outputs];
        let mut of_input = vec![0.0; input.len()];
        let rows = input.chunks_exact(inputs).zip(of_input.chunks_exact_mut(inputs));
        for ((row, of_row), gradient) in rows.zip(gradient.chunks_exact(outputs)) {
            for (output, &gradient) in gradient.iter().enumerate().filter(|(_, it)| **it != 0.0) {
                of_bias[output] += gradient;
                let range = output * inputs..(output + 1) * inputs;
                let of_weight = of_weight[range.clone()].iter_mut();
                for ((of_weight, x), (of_x, w)) in
                    of_weight.zip(row).zip(of_row.iter_mut().zip(&self.weight[range]))
                {
                    *of_weight += gradient * x;
                    *of_x += gradient * w;
                }
            }
        }
        step.push((format!("blocks.0.{}.weight", self.name), of_weight));
        step.push((format!("blocks.0.{}.bias", self.name), of_bias));
        of_input
    }
}

/// Computes the step with plain loops in 64 bits.
fn expected(weights: &Weights) -> Result<Step, ModelError> {
    let layers = [
        Layer::of(weights, "convolution")?,
        Layer::of(weights, "cccp1")?,
        Layer::of(weights, "cccp2")?,
    ];
    let mut inputs = vec![patches()];
    for layer in &layers {
        inputs.extend(inputs.last().map(|input| layer.forward(input)));
    }
    let maps = inputs.pop().unwrap_or_default(); // [images * pixels, classes]
    let classes = WIDTHS[2];
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
    let classes = WIDTHS[2];
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

/// Returns the pixels under the first kernel at each place: [images * pixels, kernel * kernel], 0 outside the image.
fn patches() -> Vec<f64> {
    let (values, padding) = (pixels(), KERNEL / 2);
    let mut patches = Vec::new();
    for image in values.chunks_exact(SIDE * SIDE) {
        for place in 0..SIDE * SIDE {
            for at in 0..KERNEL * KERNEL {
                let row = (place / SIDE + at / KERNEL).checked_sub(padding);
                let column = (place % SIDE + at % KERNEL).checked_sub(padding);
                let inside = row.zip(column).filter(|&(row, column)| row < SIDE && column < SIDE);
                let value = inside.map_or(0.0, |(row, column)| image[row * SIDE + column]);
                patches.push(f64::from(value));
            }
        }
    }
    patches
}

/// Returns the first tensor that is too far from its expected values.
fn compare(expected: &Step, found: &Step) -> Result<Result<(), Difference>, ModelError> {
    for (name, expected) in expected {
        let (_, found) = found.iter().find(|(it, _)| it == name).ok_or_else(|| missing(name))?;
        let norm = |values: &mut dyn Iterator<Item = f64>| {
            values.map(|value| value * value).sum::<f64>().sqrt()
        };
        let size = norm(&mut expected.iter().copied());
        let distance = norm(&mut expected.iter().zip(found).map(|(a, b)| a - b)) / size;
        if distance.is_nan() || distance > TOLERANCE {
            return Ok(Err(Difference { tensor: name.clone(), distance }));
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

    fn parts() -> (Architecture, Weights) {
        let architecture = architecture().unwrap();
        let weights = Initialization::Kaiming.weights(&architecture, 1);
        (architecture, weights)
    }

    #[test]
    fn the_cpu_passes_and_its_distance_is_that_of_rounding() {
        let (architecture, weights) = parts();
        let device = burn_flex::FlexDevice;
        let found =
            step::<burn::backend::Autodiff<burn_flex::Flex>>(&architecture, &weights, &device)
                .unwrap();
        let expected = expected(&weights).unwrap();
        compare(&expected, &found).unwrap().unwrap();
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
                let difference = compare(&right, &found).unwrap().unwrap_err();
                assert_eq!(difference.tensor, *name);
            }
        }
    }
}
