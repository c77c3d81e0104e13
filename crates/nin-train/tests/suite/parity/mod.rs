//! Checks training steps against PyTorch: logits, losses, every gradient, and the weights after each step.
//!
//! `generate.py` wrote `golden/`. The tests draw the same weights, images and labels from the same integer hash, and
//! the same dropout masks from the same generator, so they need no Python.

mod golden;
mod inputs;

use burn::backend::Autodiff;
use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn_flex::Flex;
use burn_ndarray::NdArray;
use nin_model::{
    Architecture, Builtin, HostTensor, NetworkInNetwork, ParameterVisitor, Weights,
    visit_parameters,
};

use crate::kernels::override_instruction_set;
use crate::learner::learner;
use golden::{Case, Tolerance, Worst, compare};

/// Seed of the dropout masks on both sides.
const SEED: u64 = 7;

// PyTorch's 32-bit results are within 1e-6 (logits, losses), 5e-7 and 2e-6 (gradients) and 1e-4 and 8e-4 (movements) of
// its 64-bit results in every case, so no tie is that close. `generate.py` checks this with limits of its own. Other
// orders of summation and Winograd transforms are allowed about ten times as much.

/// Relative to the largest logit.
const LOGITS_TOLERANCE: f64 = 1e-5;
/// Relative to the loss, over ten steps, in which every rounding error feeds back.
const LOSS_TOLERANCE: f64 = 1e-4;
/// One ReLU or one maximum that flips at a tie causes errors up to this.
const GRADIENT_TOLERANCE: Tolerance = Tolerance { norm: 1e-4, value: 1e-3 };
/// Relative to the movement so far. A weight is about a hundred times as large as a step, and so is its rounding error.
const MOVEMENT_TOLERANCE: Tolerance = Tolerance { norm: 1e-3, value: 8e-3 };

/// From this side on, images have so many pixels that a tie usually flips within ten steps, in any implementation. In
/// 14 of 21 draws of `d2l-224` and `imagenet`, PyTorch's 32-bit results diverged from its 64-bit results by up to 2e-3
/// (losses), 1.1e-2 and 5.5e-2 (movements). There, the tolerances above apply to the first step and these to later
/// ones.
const TIES_FROM: usize = 224;
const LOSS_TOLERANCE_AFTER_TIES: f64 = 4e-3;
const MOVEMENT_TOLERANCE_AFTER_TIES: Tolerance = Tolerance { norm: 1e-2, value: 8e-2 };

/// The operations that a backend uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operations {
    Ours,
    Burns,
}

/// Gradients by parameter name.
struct GradientReader<'a> {
    gradients: &'a GradientsParams,
    read: Weights,
}

impl<B: AutodiffBackend> ParameterVisitor<B> for GradientReader<'_> {
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>) {
        let gradient = self.gradients.get::<B::InnerBackend, D>(parameter.id).unwrap();
        self.read.insert(name, HostTensor::read(name, &gradient).unwrap());
    }
}

impl GradientReader<'_> {
    fn read<B: AutodiffBackend>(
        network: &NetworkInNetwork<B>,
        gradients: &GradientsParams,
    ) -> Weights {
        let mut reader = GradientReader { gradients, read: Weights::new() };
        visit_parameters(network, &mut reader);
        reader.read
    }
}

/// Returns weights minus initial weights.
fn movement(initial: &Weights, now: &Weights) -> Weights {
    let mut moved = Weights::new();
    for (name, HostTensor { shape, values }) in now.iter() {
        let initial = &initial.get(name).unwrap().values;
        let values = values.iter().zip(initial).map(|(now, initial)| now - initial).collect();
        moved.insert(name, HostTensor { shape: shape.clone(), values });
    }
    moved
}

/// Returns the architecture of a case. For a built-in one, uses nin's own blocks instead of the generator's.
fn architecture(case: &Case) -> Architecture {
    let name = case.architecture.name();
    name.parse::<Builtin>().map_or_else(
        |_| case.architecture.clone(),
        |builtin| builtin.architecture(case.input[0], builtin.classes()).unwrap(),
    )
}

fn check<I: Backend>(name: &str, text: &str, operations: Operations) {
    override_instruction_set();
    let case: Case = serde_json::from_str(text).unwrap();
    let architecture = architecture(&case);
    let device = I::Device::default();
    let kernels = nin_kernels::Context::shared_isa();
    let what = format!("{name} on {}, {operations:?}, {kernels}", I::name(&device));
    let initial = inputs::weights(&architecture);
    let network =
        NetworkInNetwork::<Autodiff<I>>::from_weights(&architecture, &initial, &device).unwrap();
    let network = match operations {
        Operations::Ours => network,
        Operations::Burns => network.without_kernels(),
    };
    let mut learner = learner::<Autodiff<I>>(network, SEED, &case.optimizer, &device);

    let [mut worst_loss, mut worst_logit] = [0.0_f64; 2];
    let mut worst_gradient = Worst::default();
    let mut worst_movement = Worst::default();
    for (step, &expected) in case.losses.iter().enumerate() {
        let (loss_tolerance, movement_tolerance) = if step > 0 && case.input[1] >= TIES_FROM {
            (LOSS_TOLERANCE_AFTER_TIES, MOVEMENT_TOLERANCE_AFTER_TIES)
        } else {
            (LOSS_TOLERANCE, MOVEMENT_TOLERANCE)
        };
        learner.begin_step();
        let batch = inputs::batch(&case, step, &device);
        let (answers, gradients) = learner.gradients(batch).unwrap();
        let loss = answers.score().loss();
        let error = (loss - expected).abs() / expected;
        assert!(error <= loss_tolerance, "{what}, step {step}: loss {loss}, PyTorch's {expected}");
        worst_loss = worst_loss.max(error);
        if step == 0 {
            let found: Vec<f32> =
                answers.iter().flat_map(|(logits, _, _)| logits.to_vec()).collect();
            worst_logit = logits_error(&found, &case.logits);
            assert!(worst_logit <= LOGITS_TOLERANCE, "{what}: logits differ by {worst_logit}");
            let found = GradientReader::read(learner.classifier().network(), &gradients);
            let expected = &case.gradients;
            worst_gradient =
                compare(&what, &architecture, &found, expected, 3000, GRADIENT_TOLERANCE);
        }
        learner.update(gradients).unwrap();
        let moved = movement(&initial, &learner.classifier().network().to_weights().unwrap());
        let what = format!("{what}, after step {step}");
        let expected = &case.movements[step];
        let error = compare(&what, &architecture, &moved, expected, 4000, movement_tolerance);
        worst_movement.join(&error);
    }
    println!(
        "{what}: logits {worst_logit:.1e}, losses {worst_loss:.1e}, gradients {worst_gradient:?}, \
         movements {worst_movement:?}"
    );
}

/// Returns the largest difference, relative to the largest logit.
fn logits_error(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f64, |largest, logit| largest.max(logit.abs()));
    let errors = found.iter().zip(expected).map(|(&found, logit)| (f64::from(found) - logit).abs());
    errors.fold(0.0, f64::max) / largest
}

macro_rules! cases {
    ($($test:ident: $name:literal),+ $(,)?) => {
        $(#[test]
        fn $test() {
            let text = include_str!(concat!("golden/", $name, ".json"));
            check::<NdArray<f32>>($name, text, Operations::Ours);
            check::<Flex>($name, text, Operations::Ours);
        })+
    };
}

cases! {
    d2l_at_96: "d2l-96",
    d2l_at_224: "d2l-224",
    d2l_at_224_once: "d2l-224-once",
    paper_mnist: "paper-mnist",
    paper_mnist_adamw: "paper-mnist-adamw",
    paper_mnist_muon: "paper-mnist-muon",
    paper_cifar10: "paper-cifar10",
    paper_cifar100: "paper-cifar100",
    paper_svhn: "paper-svhn",
    imagenet: "imagenet",
    unusual: "unusual",
}

#[test]
fn unusual_by_burns_own_operations() {
    let text = include_str!("golden/unusual.json");
    check::<NdArray<f32>>("unusual", text, Operations::Burns);
    check::<Flex>("unusual", text, Operations::Burns);
}

/// Only small cases: the software adapter llvmpipe takes seconds per image at 224.
#[cfg(feature = "test-wgpu")]
#[test]
fn wgpu() {
    if crate::adapter::is_here() {
        let unusual = include_str!("golden/unusual.json");
        for (name, text) in [
            ("d2l-224-once", include_str!("golden/d2l-224-once.json")),
            ("d2l-96", include_str!("golden/d2l-96.json")),
            ("paper-mnist", include_str!("golden/paper-mnist.json")),
            ("paper-mnist-adamw", include_str!("golden/paper-mnist-adamw.json")),
            ("paper-mnist-muon", include_str!("golden/paper-mnist-muon.json")),
            ("unusual", unusual),
        ] {
            check::<burn_wgpu::Wgpu>(name, text, Operations::Ours);
        }
        check::<burn_wgpu::Wgpu>("unusual", unusual, Operations::Burns);
    }
}
