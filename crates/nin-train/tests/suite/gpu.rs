//! Checks the kernels of nin-gpu, in the built-in networks, against the CPU.

use burn::backend::Autodiff;
use burn::module::Param;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use burn_flex::Flex;
use burn_wgpu::Wgpu;
use nin_model::{
    Architecture, Builtin, DropoutKey, Initialization, NetworkInNetwork, ParameterVisitor,
    Precision, check_device, gpu_layers, visit_parameters,
};

use crate::adapter;

/// The distance of two tensors relative to the norm of one: 32-bit sums in another order, through up to twelve layers.
const TOLERANCE: f64 = 2e-5;

/// The relative distance of logits in f16, whose eleven bits round the operands and activations of nine layers.
const F16_LOGITS: f64 = 0.005;

/// The relative distance of gradients in f16. Rounding can push a unit near zero to the other side of its ReLU, and can make values
/// equal among which a pool then chooses. One such unit of a few hundred changes a gradient by several per cent. A wrong kernel
/// changes it by about 100 %; nin-gpu's tests are exact.
const F16_GRADIENTS: f64 = 0.2;

/// The factor on the loss in f16, without which gradients would be too small for it.
const LOSS_SCALE: f32 = 65_536.0;

/// Where the images begin in their sequence of values. Of a unit closer to zero than the backends are to each other, ReLU would pass
/// the gradient on one of them only: from 1, `imagenet` has one.
const IMAGES: usize = 5;

/// A tensor by name.
type Named = (String, Vec<f32>);

/// Collects the gradient of each parameter.
struct Reader<'a, B: AutodiffBackend> {
    gradients: &'a B::Gradients,
    scale: f32,
    found: Vec<Named>,
}

impl<B: AutodiffBackend> ParameterVisitor<B> for Reader<'_, B> {
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>) {
        let gradient = parameter.val().grad(self.gradients).unwrap() / self.scale;
        self.found.push((name.to_owned(), gradient.into_data().to_vec().unwrap()));
    }
}

/// Returns logits and gradients of a training step on a backend. The logits are weighted so that no two count alike.
fn step<I: Backend>(
    architecture: &Architecture,
    [channels, height, width]: [usize; 3],
    batch: usize,
    precision: Precision,
) -> Vec<Named> {
    let device = I::Device::default();
    let weights = Initialization::Kaiming.weights(architecture, 3);
    let network =
        NetworkInNetwork::<Autodiff<I>>::from_weights(architecture, &weights, &device).unwrap();
    let network = network.with_precision(precision);
    let values = |len: usize, salt: usize| -> Vec<f32> {
        (0..len).map(|at| ((at + salt) * 7919 % 1009) as f32 / 1009.0 - 0.5).collect()
    };
    let shape = [batch, channels, height, width];
    let images = TensorData::new(values(shape.iter().product(), IMAGES), shape);
    let key = DropoutKey { seed: 1, epoch: 1, step: 0, first_image: 0 };
    let logits = network.forward_training(Tensor::from_data(images, &device), &key);
    let [_, classes] = logits.dims();
    let factors = TensorData::new(values(batch * classes, 2), [batch, classes]);
    let scale = if precision == Precision::F16 { LOSS_SCALE } else { 1.0 };
    let loss = (logits.clone() * Tensor::from_data(factors, &device)).sum();
    let gradients = (loss * scale).backward();
    let mut visitor = Reader { gradients: &gradients, scale, found: Vec::new() };
    visit_parameters(&network, &mut visitor);
    let logits = ("logits".to_owned(), logits.into_data().to_vec().unwrap());
    check_device::<I>(&device).unwrap();
    std::iter::once(logits).chain(visitor.found).collect()
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

fn compare(
    name: &str,
    architecture: &Architecture,
    input: [usize; 3],
    batch: usize,
    precision: Precision,
) {
    let expected = step::<Flex>(architecture, input, batch, Precision::Fp32);
    let found = step::<Wgpu>(architecture, input, batch, precision);
    let mut worst = 0.0_f64;
    for ((tensor, expected), (_, found)) in expected.iter().zip(&found) {
        assert_eq!(expected.len(), found.len(), "{name}: {tensor}");
        let size = norm(expected.iter().map(|&value| f64::from(value)));
        let pairs = expected.iter().zip(found);
        let distance = norm(pairs.map(|(&it, &other)| f64::from(it) - f64::from(other))) / size;
        let tolerance = match (precision, tensor.as_str()) {
            (Precision::F16, "logits") => F16_LOGITS,
            (Precision::F16, _) => F16_GRADIENTS,
            _ => TOLERANCE,
        };
        assert!(distance < tolerance, "{name}: {tensor} is {distance:e} off");
        worst = worst.max(distance);
    }
    println!("{name}: off by at most {worst:.1e}");
}

#[test]
fn the_six_networks_on_wgpu_have_the_logits_and_gradients_of_the_cpu() {
    if !adapter::is_here() {
        return;
    }
    for builtin in Builtin::ALL {
        let input = builtin.input();
        let architecture = builtin.architecture(input[0], builtin.classes()).unwrap();
        // With two images, tiles cross the border between images.
        let batch = if input[1] < 100 { 2 } else { 1 };
        compare(builtin.name(), &architecture, input, batch, Precision::Fp32);
    }
}

#[test]
fn in_f16_the_logits_and_gradients_are_near_those_of_the_cpu() {
    if !adapter::has_f16() {
        return;
    }
    for builtin in [Builtin::PaperMnist, Builtin::PaperCifar10] {
        let input = builtin.input();
        let architecture = builtin.architecture(input[0], builtin.classes()).unwrap();
        compare(builtin.name(), &architecture, input, 2, Precision::F16);
        // Another precision, not the same by another name.
        let [half, full] = [Precision::F16, Precision::Fp32]
            .map(|precision| step::<Wgpu>(&architecture, input, 2, precision));
        assert_ne!(half, full);
    }
}

#[test]
fn f16_moves_fewer_bytes() {
    let architecture = Builtin::D2l.architecture(1, 10).unwrap();
    let bytes = |precision| -> u64 {
        let layers = gpu_layers(&architecture, Builtin::D2l.input(), 128, precision).unwrap();
        layers.iter().map(|layer| layer.forward.bytes + layer.backward.bytes).sum()
    };
    let [full, half] = [Precision::Fp32, Precision::F16].map(bytes);
    // The buffers of Winograd's algorithm stay fp32.
    assert!(half < full * 4 / 5, "{half} of {full}");
}

#[test]
fn wgpu_gives_the_same_bits_twice() {
    if !adapter::is_here() {
        return;
    }
    let builtin = Builtin::PaperMnist;
    let architecture = builtin.architecture(1, 10).unwrap();
    for precision in [Precision::Fp32, Precision::F16] {
        let step = || step::<Wgpu>(&architecture, builtin.input(), 3, precision);
        assert_eq!(step(), step());
    }
}

#[test]
fn the_layers_of_a_training_step_are_few_dispatches() {
    let builtin = Builtin::D2l;
    let architecture = builtin.architecture(1, 10).unwrap();
    let layers = gpu_layers(&architecture, builtin.input(), 128, Precision::Fp32).unwrap();
    let dispatches =
        layers.iter().map(|layer| layer.forward.dispatches + layer.backward.dispatches);
    // Ten convolutions, forward and backward, of which one has no input gradient, three pools and the last ReLU.
    let direct = 10 + 10 * 2 + 9 + 3 * 2 + 1;
    // Three passes of 5x5 and 3x3 by Winograd's algorithm: the weights, and three dispatches for each chunk.
    let winograd = 3 * (1 + 7 * 3) + 3 * (1 + 3);
    assert_eq!(dispatches.sum::<u64>(), direct + winograd);
    // The network's multiply-accumulates, as `shapes` counts them.
    let shapes = architecture.shapes(builtin.input()).unwrap();
    let flops: u64 = layers.iter().map(|layer| layer.forward.flops).sum();
    assert_eq!(flops, 128 * 2 * shapes.macs());
}
