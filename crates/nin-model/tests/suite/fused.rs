//! The fused kernels compute the same outputs and gradients as Burn's own operations.

use burn::backend::Autodiff;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use burn_ndarray::NdArray;
use nin_model::{
    Architecture, Block, Builtin, DropoutKey, HostTensor, Initialization, NetworkInNetwork, Pool,
    Weights, Width,
};

use crate::kernels::override_instruction_set;

/// The largest error of logits, relative to the largest one: 32-bit sums of up to some thousand products in another order,
/// through up to twelve layers, and Winograd's transforms.
const LOGITS_TOLERANCE: f32 = 2e-5;
/// The largest error of gradients: a single ReLU that flips at zero causes up to this.
const GRADIENT_TOLERANCE: f32 = 2e-3;

fn images<B: Backend>(batch: usize, [channels, height, width]: [usize; 3]) -> Tensor<B, 4> {
    let count = batch * channels * height * width;
    let values: Vec<f32> = (0..count as u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 8) as f32 / 16_777_216.0)
        .collect();
    Tensor::from_data(
        TensorData::new(values, [batch, channels, height, width]),
        &Default::default(),
    )
}

struct Gradients<'a, B: AutodiffBackend> {
    gradients: &'a B::Gradients,
    read: Vec<HostTensor>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Gradients<'_, B> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<B, D>>) {
        let gradient = parameter.val().grad(self.gradients).expect("each parameter has a gradient");
        self.read.push(HostTensor::read("gradient", &gradient).unwrap());
    }
}

/// Returns the logits, and the gradients of a loss that weights each logit differently.
fn step<B: AutodiffBackend>(
    network: &NetworkInNetwork<B>,
    images: Tensor<B, 4>,
) -> (HostTensor, Vec<HostTensor>) {
    let key = DropoutKey { seed: 1, epoch: 1, step: 0, first_image: 0 };
    let logits = network.forward_training(images, &key);
    let [batch, classes] = logits.dims();
    let factors: Vec<f32> = (0..batch * classes).map(|at| 1.0 + (at % 7) as f32 / 3.0).collect();
    let factors =
        Tensor::<B, 2>::from_data(TensorData::new(factors, [batch, classes]), &Default::default());
    let gradients = (logits.clone() * factors).sum().backward();
    let mut reader = Gradients { gradients: &gradients, read: Vec::new() };
    network.visit(&mut reader);
    (HostTensor::read("logits", &logits).unwrap(), reader.read)
}

fn assert_close(name: &str, found: &HostTensor, expected: &HostTensor, tolerance: f32) {
    assert_eq!(found.shape, expected.shape, "{name}");
    let largest = expected.values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    for (at, (found, expected)) in found.values.iter().zip(&expected.values).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance * largest.max(1e-6),
            "{name}[{at}]: {found}, expected {expected}, of at most {largest}"
        );
    }
}

fn compare<I: Backend>(
    architecture: &Architecture,
    weights: &Weights,
    batch: usize,
    input: [usize; 3],
) {
    override_instruction_set();
    let device = Default::default();
    let fused =
        NetworkInNetwork::<Autodiff<I>>::from_weights(architecture, weights, &device).unwrap();
    let stock = fused.clone().without_kernels();
    let (found, found_gradients) = step(&fused, images(batch, input));
    let (expected, expected_gradients) = step(&stock, images(batch, input));
    let name = format!("{} on {}", architecture.name(), I::name(&device));
    assert_close(&format!("{name}: logits"), &found, &expected, LOGITS_TOLERANCE);
    let parameters = architecture.parameter_shapes();
    assert_eq!(found_gradients.len(), parameters.len());
    for (((parameter, _), found), expected) in
        parameters.iter().zip(&found_gradients).zip(&expected_gradients)
    {
        assert_close(&format!("{name}: {parameter}"), found, expected, GRADIENT_TOLERANCE);
    }
    let maps = fused.class_maps(images(batch, input));
    let maps = HostTensor::read("maps", &maps).unwrap();
    let stock_maps = HostTensor::read("maps", &stock.class_maps(images(batch, input))).unwrap();
    assert_close(&format!("{name}: maps"), &maps, &stock_maps, LOGITS_TOLERANCE);
}

fn compare_on_both(architecture: &Architecture, batch: usize, input: [usize; 3]) {
    let weights = Initialization::Kaiming.weights(architecture, 5);
    compare::<NdArray<f32>>(architecture, &weights, batch, input);
    compare::<Flex>(architecture, &weights, batch, input);
}

#[test]
fn built_in_networks() {
    for (builtin, input) in [
        (Builtin::D2l, [1, 96, 96]),
        (Builtin::PaperMnist, [1, 28, 28]),
        (Builtin::PaperCifar10, [3, 32, 32]),
    ] {
        let architecture = builtin.architecture(input[0], 10).unwrap();
        compare_on_both(&architecture, 2, input);
    }
}

#[test]
fn unusual_networks() {
    let block = |kernel, stride, padding, widths: [usize; 3]| Block {
        kernel,
        stride,
        padding,
        widths: widths.map(Width::Channels),
        pool: None,
        dropout: 0.0,
    };
    let pool =
        |kernel, stride, padding, ceil_mode| Some(Pool { kernel, stride, padding, ceil_mode });
    for (name, blocks, input) in [
        (
            "7x7 stride 3, padded pool",
            vec![
                Block { pool: pool(3, 2, 1, true), dropout: 0.3, ..block(7, 3, 3, [17, 33, 16]) },
                block(1, 2, 0, [31, 1, 3]),
            ],
            [2, 37, 29],
        ),
        (
            "even kernels",
            vec![
                Block { pool: pool(2, 3, 1, true), ..block(4, 1, 1, [5, 6, 7]) },
                Block { pool: pool(2, 2, 0, false), ..block(2, 1, 0, [20, 3, 18]) },
                block(3, 1, 1, [4, 4, 3]),
            ],
            [1, 21, 30],
        ),
    ] {
        let architecture = Architecture::new(name, input[0], 3, blocks).unwrap();
        compare_on_both(&architecture, 3, input);
    }
}

#[test]
fn one_image_gives_the_same_alone_and_in_a_batch() {
    override_instruction_set();
    let architecture = Builtin::PaperMnist.architecture(1, 10).unwrap();
    let weights = Initialization::Kaiming.weights(&architecture, 5);
    let device = FlexDevice;
    let network = NetworkInNetwork::<Flex>::from_weights(&architecture, &weights, &device).unwrap();
    let batch = images::<Flex>(3, [1, 28, 28]);
    // Not bit-identical: a single image is split among threads, a batch is not.
    let alone = network.forward(batch.clone().narrow(0, 1, 1));
    let together = network.forward(batch).narrow(0, 1, 1);
    let [alone, together] =
        [alone, together].map(|logits| HostTensor::read("logits", &logits).unwrap());
    assert_close("logits", &alone, &together, LOGITS_TOLERANCE);
}
