//! A network prepared for inference answers as the network does.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use burn_ndarray::NdArray;
use nin_model::{
    Architecture, Builtin, HostTensor, InferencePlan, Initialization, NetworkInNetwork, Precision,
};

use crate::kernels::override_instruction_set;

fn images<B: Backend>(batch: usize, [channels, height, width]: [usize; 3]) -> Tensor<B, 4> {
    let count = batch * channels * height * width;
    let values: Vec<f32> = (0..count).map(|at| (at * 37 % 256) as f32 / 255.0).collect();
    let data = TensorData::new(values, [batch, channels, height, width]);
    Tensor::from_data(data, &Default::default())
}

fn read<B: Backend, const D: usize>(tensor: &Tensor<B, D>) -> (Vec<usize>, Vec<f32>) {
    let HostTensor { shape, values } = HostTensor::read("answers", tensor).unwrap();
    (shape, values)
}

fn bits<B: Backend, const D: usize>(tensor: &Tensor<B, D>) -> (Vec<usize>, Vec<u32>) {
    let (shape, values) = read(tensor);
    (shape, values.into_iter().map(f32::to_bits).collect())
}

/// The largest difference where packed weights change the algorithm, relative to the largest value: the order of fp32 sums.
const REORDERED: f32 = 1e-5;

/// The same if differences of the last bit are then rounded to bf16, or to the next one: some steps of 2^-9.
const REORDERED_BF16: f32 = 1e-2;

/// Checks that two answers are the same but for the order of sums.
fn assert_close<B: Backend, const D: usize>(
    found: &Tensor<B, D>,
    expected: &Tensor<B, D>,
    precision: Precision,
    name: &str,
) {
    let (found, expected) = (read(found), read(expected));
    assert_eq!(found.0, expected.0, "{name}");
    let largest = expected.1.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let tolerance = if precision == Precision::Bf16 { REORDERED_BF16 } else { REORDERED };
    for (found, expected) in found.1.iter().zip(&expected.1) {
        let difference = (found - expected).abs();
        assert!(difference <= tolerance * largest, "{name}: {found}, {expected}");
    }
}

fn compare<B: Backend>(architecture: &Architecture, input: [usize; 3], precision: Precision) {
    override_instruction_set();
    let weights = Initialization::Kaiming.weights(architecture, 5);
    let network = |seed| {
        let weights = if seed == 5 {
            weights.clone()
        } else {
            Initialization::Kaiming.weights(architecture, seed)
        };
        NetworkInNetwork::<B>::from_weights(architecture, &weights, &Default::default())
            .unwrap()
            .with_precision(precision)
    };
    let (one, other) = (network(5), network(6));
    let plan = InferencePlan::new(one.clone()).unwrap();
    // One image, several, and one again: with weights that were packed for another batch.
    let mut answers = Vec::new();
    for batch in [1, 3, 1] {
        let name = format!("{} on {}, {batch}", architecture.name(), B::name(&Default::default()));
        let images = images::<B>(batch, input);
        let logits = plan.forward(images.clone());
        assert_close(&logits, &one.forward(images.clone()), precision, &name);
        assert_close(
            &plan.class_maps(images.clone()),
            &one.class_maps(images.clone()),
            precision,
            &name,
        );
        // Another network has packed weights of its own.
        let others = InferencePlan::new(other.clone()).unwrap().forward(images.clone());
        assert_close(&others, &other.forward(images), precision, &name);
        assert_ne!(bits(&others), bits(&logits), "{name}");
        answers.push(bits(&logits));
    }
    assert_eq!(answers[0], answers[2]);
}

#[test]
fn a_plan_answers_as_its_network() {
    for (builtin, input) in [(Builtin::D2l, [1, 96, 96]), (Builtin::PaperMnist, [1, 28, 28])] {
        let architecture = builtin.architecture(input[0], 10).unwrap();
        for precision in [Precision::Fp32, Precision::Bf16] {
            compare::<NdArray<f32>>(&architecture, input, precision);
            compare::<Flex>(&architecture, input, precision);
        }
    }
}

#[test]
fn a_plan_without_kernels_is_its_network() {
    let architecture = Builtin::PaperMnist.architecture(1, 10).unwrap();
    let weights = Initialization::Kaiming.weights(&architecture, 5);
    let network = NetworkInNetwork::<Flex>::from_weights(&architecture, &weights, &FlexDevice)
        .unwrap()
        .without_kernels();
    let images = images::<Flex>(1, [1, 28, 28]);
    let expected = bits(&network.forward(images.clone()));
    assert_eq!(bits(&InferencePlan::new(network).unwrap().forward(images)), expected);
}

/// Multiplies every parameter by a factor.
struct Scale(f32);

impl<B: Backend> ModuleMapper<B> for Scale {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        parameter.map(|tensor| tensor.mul_scalar(self.0))
    }
}

fn stays_as_it_was<B: Backend>() {
    override_instruction_set();
    let architecture = Builtin::PaperMnist.architecture(1, 10).unwrap();
    let network = |seed| {
        let weights = Initialization::Kaiming.weights(&architecture, seed);
        NetworkInNetwork::<B>::from_weights(&architecture, &weights, &Default::default()).unwrap()
    };
    for batch in [1, 2] {
        let answer = |plan: &InferencePlan<B>| bits(&plan.forward(images(batch, [1, 28, 28])));
        let first = network(5);
        let plan = InferencePlan::new(first.clone()).unwrap();
        let expected = answer(&plan);
        // Weights that change in place, were they not shared with the plan.
        let first = first.map(&mut Scale(2.0));
        assert_eq!(answer(&plan), expected);
        let changed = answer(&InferencePlan::new(first.clone()).unwrap());
        assert_ne!(changed, expected);
        // Other weights in the same network.
        let other = first.load_record(network(6).into_record());
        assert_eq!(answer(&plan), expected);
        let others = answer(&InferencePlan::new(other).unwrap());
        assert_eq!(others, answer(&InferencePlan::new(network(6)).unwrap()));
        assert_ne!(others, expected);
        // The network of the plan itself.
        let own = plan.network().clone().map(&mut Scale(2.0));
        assert_eq!(answer(&InferencePlan::new(own).unwrap()), changed);
        assert_eq!(answer(&plan), expected);
    }
}

#[test]
fn a_plan_keeps_its_weights_whatever_becomes_of_its_network() {
    stays_as_it_was::<Flex>();
    stays_as_it_was::<NdArray<f32>>();
}

#[test]
fn threads_share_a_plan_and_its_sizes_change() {
    override_instruction_set();
    let architecture = Builtin::PaperMnist.architecture(1, 10).unwrap();
    let weights = Initialization::Kaiming.weights(&architecture, 5);
    let network =
        NetworkInNetwork::<Flex>::from_weights(&architecture, &weights, &FlexDevice).unwrap();
    let plan = InferencePlan::new(network).unwrap();
    // Batches and sides of their own.
    let inputs = [(1, 28), (2, 28), (1, 32), (3, 40)];
    let answer = |plan: &InferencePlan<Flex>, (batch, side)| {
        let images = images::<Flex>(batch, [1, side, side]);
        (bits(&plan.forward(images.clone())), bits(&plan.class_maps(images)))
    };
    let expected = inputs.map(|input| answer(&plan, input));
    std::thread::scope(|scope| {
        for start in 0..inputs.len() {
            let (plan, expected) = (&plan, &expected);
            scope.spawn(move || {
                for round in 0..8 {
                    let at = (start + round) % inputs.len();
                    assert_eq!(answer(plan, inputs[at]), expected[at]);
                }
            });
        }
    });
    let moved = std::thread::spawn(move || inputs.map(|input| answer(&plan, input)));
    assert_eq!(moved.join().unwrap(), expected);
}
