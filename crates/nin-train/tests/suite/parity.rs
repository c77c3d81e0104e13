//! Steps of training equal PyTorch's: losses, logits, every gradient, the weights afterwards.
//!
//! `generate_parity.py` wrote `golden/`; this file draws the same weights, images and labels from
//! the same integer hash, and the same dropout masks from the same generator.

use burn::backend::Autodiff;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor, TensorData};
use burn::train::Learner;
use burn_flex::Flex;
use burn_ndarray::NdArray;
use nin_data::ImageBatch;
use nin_model::{Architecture, Builtin, HostTensor, NetworkInNetwork, Weights};
use nin_train::recipe::Recipe;
use nin_train::{Classifier, Components, GradientDescent, RunOptimizer, Schedule};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The run's seed, from which both sides draw dropout.
const SEED: u64 = 7;

/// Of the largest logit: 32-bit sums of thousands of products in another order.
const LOGITS_TOLERANCE: f64 = 1e-4;
/// Of a loss; over ten steps every rounding feeds back (seen: 5e-6).
const LOSS_TOLERANCE: f64 = 2e-5;
/// Of a gradient's norm: a ReLU or a maximum that flips at a tie moves it so far.
const GRADIENT_NORM_TOLERANCE: f64 = 2e-3;
/// Of a gradient's largest value, for single values.
const GRADIENT_TOLERANCE: f64 = 5e-3;
/// Of a weight tensor's norm after the last step.
const WEIGHT_NORM_TOLERANCE: f64 = 1e-5;
/// Of a weight tensor's largest value after the last step, for single values.
const WEIGHT_TOLERANCE: f64 = 5e-4;

#[derive(Deserialize)]
struct Case {
    network: String,
    input: [usize; 3],
    batches: Vec<usize>,
    optimizer: serde_json::Value,
    salt: u32,
    losses: Vec<f64>,
    logits: Vec<f32>,
    gradients: BTreeMap<String, Digest>,
    weights: BTreeMap<String, Digest>,
}

/// What is kept of a tensor: norm, largest value, and the values at hashed positions.
#[derive(Deserialize)]
struct Digest {
    norm: f64,
    largest: f64,
    values: Vec<f64>,
}

/// 24 random bits, by the mixer of Wellons' hash-prospector (lowbias32).
fn hashed(at: usize, salt: u32) -> u32 {
    let mut x = (at as u32).wrapping_add(salt.wrapping_mul(0x9E37_79B9));
    x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
    x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
    (x ^ (x >> 16)) >> 8
}

fn uniform(at: usize, salt: u32) -> f32 {
    hashed(at, salt) as f32 / 16_777_216.0
}

fn initial_weights(architecture: &Architecture) -> Weights {
    let mut bound = 0.0;
    let tensors = architecture.parameter_shapes().into_iter().zip(1_u32..);
    tensors
        .map(|((name, shape), salt)| {
            let is_weight = shape.len() == 4;
            if is_weight {
                bound = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt() as f32;
            }
            let count = shape.iter().product();
            let value = |at| {
                if is_weight {
                    (uniform(at, salt) * 2.0 - 1.0) * bound
                } else {
                    uniform(at, salt) * 0.125
                }
            };
            (name, HostTensor { shape, values: (0..count).map(value).collect() })
        })
        .collect()
}

fn batch<B: Backend>(case: &Case, step: usize, classes: usize) -> ImageBatch<B> {
    let device = Default::default();
    let count = case.batches[step];
    let [channels, height, width] = case.input;
    let pixels = count * channels * height * width;
    let values: Vec<f32> = (0..pixels).map(|at| uniform(at, case.salt + step as u32)).collect();
    let labels: Vec<usize> =
        (0..count).map(|at| hashed(at, 2000 + step as u32) as usize % classes).collect();
    let targets: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    ImageBatch {
        images: Tensor::from_data(
            TensorData::new(values, [count, channels, height, width]),
            &device,
        ),
        targets: Tensor::<B, 1, Int>::from_data(TensorData::new(targets, [count]), &device),
        labels,
        indices: (0..count).collect(),
        epoch: 1,
        step,
    }
}

/// Gradients by parameter name.
struct Reader<'a> {
    path: Vec<String>,
    gradients: &'a GradientsParams,
    read: Weights,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Reader<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<B, D>>) {
        let gradient = self.gradients.get::<B::InnerBackend, D>(parameter.id).unwrap();
        let name = self.path.join(".").replace("network.", "");
        self.read.insert(name.clone(), HostTensor::read(&name, &gradient).unwrap());
    }
}

/// The largest error of each kind, in units of its tolerance.
#[derive(Debug, Default)]
struct Worst {
    norm: f64,
    value: f64,
}

fn compare(
    what: &str,
    expected: &BTreeMap<String, Digest>,
    found: &Weights,
    first_salt: u32,
    (norm_tolerance, value_tolerance): (f64, f64),
    architecture: &Architecture,
) -> Worst {
    let mut worst = Worst::default();
    for ((name, _), salt) in architecture.parameter_shapes().into_iter().zip(first_salt..) {
        let Digest { norm, largest, values } = &expected[&name];
        let found = &found.get(&name).unwrap_or_else(|| panic!("{what}: no {name}")).values;
        let found_norm = found.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        let error = (found_norm - norm).abs() / norm.max(1e-12) / norm_tolerance;
        assert!(error <= 1.0, "{what}: norm of {name} is {found_norm}, PyTorch's {norm}");
        worst.norm = worst.norm.max(error);
        for (at, value) in values.iter().enumerate() {
            let found = f64::from(found[hashed(at, salt) as usize % found.len()]);
            let error = (found - value).abs() / largest.max(1e-12) / value_tolerance;
            assert!(error <= 1.0, "{what}: {name} has {found}, PyTorch {value} of {largest}");
            worst.value = worst.value.max(error);
        }
    }
    worst
}

fn check<I: Backend>(name: &str, text: &str) {
    type Training<I> = Autodiff<I>;
    let case: Case = serde_json::from_str(text).unwrap();
    let builtin: Builtin = case.network.parse().unwrap();
    let architecture = builtin.architecture(case.input[0], builtin.classes()).unwrap();
    let device = Default::default();
    let weights = initial_weights(&architecture);
    let network =
        NetworkInNetwork::<Training<I>>::from_weights(&architecture, &weights, &device).unwrap();

    let optimizer = serde_json::from_value(case.optimizer.clone()).unwrap();
    let recipe = Recipe { optimizer, ..Recipe::default() };
    let schedule =
        Schedule::new(&recipe.schedule, &recipe.optimizer, &recipe.training, case.batches.len());
    let optimizer = RunOptimizer::from(GradientDescent::new(&recipe.optimizer));
    let mut learner: Learner<Components<Training<I>>> =
        Learner::new(Classifier::new(network, SEED), optimizer, schedule);

    let what = format!("{name} on {}", I::name(&device));
    let mut worst = Vec::new();
    for (step, &expected) in case.losses.iter().enumerate() {
        let batch = batch::<Training<I>>(&case, step, architecture.classes());
        learner.lr_step();
        let output = learner.train_step(batch);
        let answers = output.item.0.unwrap();
        let loss = answers.score().loss();
        let error = (loss - expected).abs() / expected / LOSS_TOLERANCE;
        assert!(error <= 1.0, "{what}, step {step}: loss {loss}, PyTorch's {expected}");
        if step == 0 {
            let largest = case.logits.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
            let found: Vec<f32> =
                answers.iter().flat_map(|(logits, _, _)| logits.to_vec()).collect();
            assert_eq!(found.len(), case.logits.len());
            for (found, expected) in found.iter().zip(&case.logits) {
                let error = f64::from((found - expected).abs() / largest);
                assert!(error <= LOGITS_TOLERANCE, "{what}: logit {found}, PyTorch's {expected}");
            }
            let mut reader =
                Reader { path: Vec::new(), gradients: &output.grads, read: Weights::new() };
            Module::<Training<I>>::visit(&learner.model(), &mut reader);
            let tolerances = (GRADIENT_NORM_TOLERANCE, GRADIENT_TOLERANCE);
            let gradients =
                compare(&what, &case.gradients, &reader.read, 3000, tolerances, &architecture);
            worst.push(gradients);
        }
        learner.optimizer_step(output.grads);
    }
    let weights = learner.model().network().to_weights().unwrap();
    let tolerances = (WEIGHT_NORM_TOLERANCE, WEIGHT_TOLERANCE);
    worst.push(compare(&what, &case.weights, &weights, 4000, tolerances, &architecture));
    println!("{what}: worst errors of gradients and weights, of their tolerances: {worst:?}");
}

macro_rules! cases {
    ($($test:ident: $name:literal),+ $(,)?) => {
        $(#[test]
        fn $test() {
            let text = include_str!(concat!("golden/", $name, ".json"));
            check::<NdArray<f32>>($name, text);
            check::<Flex>($name, text);
        })+
    };
}

cases! {
    d2l_at_96: "d2l-96",
    d2l_at_224: "d2l-224",
    paper_mnist: "paper-mnist",
    paper_mnist_adamw: "paper-mnist-adamw",
    paper_cifar10: "paper-cifar10",
    paper_cifar100: "paper-cifar100",
    paper_svhn: "paper-svhn",
    imagenet: "imagenet",
}
