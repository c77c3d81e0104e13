//! Checks that backends agree: the same steps from one seed, with dropout, give the same losses.

use burn::backend::Autodiff;
use burn::tensor::backend::Backend;
use burn_flex::Flex;
use burn_ndarray::NdArray;
use nin_data::{DataSet, FASHION_MNIST_SAMPLE, Locations, OrderedLoader};
use nin_model::{Architecture, Block, Initialization, NetworkInNetwork, Pool, Width};
use nin_train::recipe::{OptimizerKind, OptimizerRecipe};

use crate::kernels::override_instruction_set;
use crate::learner::learner;

const SEED: u64 = 11;
const STEPS: usize = 20;
const BATCH_SIZE: usize = 16;

/// Relative tolerance of a loss: rounding of 32-bit sums in another order, fed back through twenty steps.
const LOSS_TOLERANCE: f64 = 1e-3;
/// Relative tolerance of the first loss, before any feedback.
const FIRST_LOSS_TOLERANCE: f64 = 1e-5;

/// A small `paper-mnist`: ceil-mode pools and dropout after the first two of three blocks.
pub(crate) fn architecture() -> Architecture {
    let pool = Some(Pool { kernel: 3, stride: 2, padding: 0, ceil_mode: true });
    let block = |kernel, widths: [usize; 3], pool: Option<Pool>| Block {
        kernel,
        stride: 1,
        padding: kernel / 2,
        widths: widths.map(Width::Channels),
        pool,
        dropout: if pool.is_some() { 0.5 } else { 0.0 },
    };
    let blocks = vec![
        block(5, [24, 20, 16], pool),
        block(5, [32, 24, 16], pool),
        block(3, [32, 24, 10], None),
    ];
    Architecture::new("small", 1, 10, blocks).unwrap()
}

/// Layers of 512 and 1,024 channels, as in `imagenet`: the largest tiles of a matrix product, on small maps.
#[cfg(feature = "test-wgpu")]
fn wide() -> Architecture {
    let block = |kernel, stride, widths: [usize; 3], dropout| Block {
        kernel,
        stride,
        padding: 0,
        widths: widths.map(Width::Channels),
        pool: None,
        dropout,
    };
    let blocks = vec![block(5, 4, [512, 512, 512], 0.5), block(3, 2, [1024, 1024, 10], 0.0)];
    Architecture::new("wide", 1, 10, blocks).unwrap()
}

/// Returns the loss of each of the first steps on a backend.
fn losses<I: Backend>(own_operations: bool) -> Vec<f64> {
    losses_of::<I>(&architecture(), own_operations, STEPS)
}

fn losses_of<I: Backend>(
    architecture: &Architecture,
    own_operations: bool,
    steps: usize,
) -> Vec<f64> {
    override_instruction_set();
    let device = I::Device::default();
    let weights = Initialization::Kaiming.weights(architecture, SEED);
    let network =
        NetworkInNetwork::<Autodiff<I>>::from_weights(architecture, &weights, &device).unwrap();
    let network = if own_operations { network } else { network.without_kernels() };
    let kind = OptimizerKind::Sgd { momentum: 0.9 };
    let optimizer = OptimizerRecipe { kind, learning_rate: 0.01, ..OptimizerRecipe::default() };
    let mut learner = learner::<Autodiff<I>>(network, SEED, &optimizer, &device);

    let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::from_environment()).unwrap();
    let loader = OrderedLoader::<Autodiff<I>>::shuffled(data.train, BATCH_SIZE, SEED, &device);
    let batches = loader.epoch(1, 0).take(steps);
    batches.map(|batch| learner.step(batch.unwrap()).unwrap().score().loss()).collect()
}

fn assert_agree(name: &str, found: &[f64], expected: &[f64]) {
    assert!(!expected.is_empty() && found.len() == expected.len(), "{name}");
    let mut worst = 0.0_f64;
    for (step, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs() / expected;
        let tolerance = if step == 0 { FIRST_LOSS_TOLERANCE } else { LOSS_TOLERANCE };
        assert!(error <= tolerance, "{name}, step {step}: {found}, elsewhere {expected}");
        worst = worst.max(error);
    }
    println!("{name}: losses are off by at most {worst:.1e}");
}

#[test]
fn cpu_backends_agree_over_twenty_steps() {
    let reference = losses::<NdArray<f32>>(true);
    // The steps must learn something; otherwise any two backends would agree.
    assert!(reference[STEPS - 1] < reference[0] - 0.05, "{reference:?}");
    assert_agree("flex", &losses::<Flex>(true), &reference);
    // On flex only: with Burn's own operations, ndarray takes minutes.
    assert_agree("flex by Burn's operations", &losses::<Flex>(false), &reference);
}

#[cfg(feature = "test-wgpu")]
#[test]
fn wgpu_agrees_over_twenty_steps() {
    if crate::adapter::is_here() {
        assert_agree("wgpu", &losses::<burn_wgpu::Wgpu>(true), &losses::<Flex>(true));
    }
}

#[cfg(feature = "test-wgpu")]
#[test]
fn wgpu_agrees_on_layers_of_512_and_1024_channels() {
    const STEPS: usize = 4;
    if crate::adapter::is_here() {
        let found = losses_of::<burn_wgpu::Wgpu>(&wide(), true, STEPS);
        let reference = losses_of::<Flex>(&wide(), true, STEPS);
        assert!((reference[0] - reference[STEPS - 1]).abs() > 1e-3, "{reference:?}");
        assert_agree("wide", &found, &reference);
    }
}
