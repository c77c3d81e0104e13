//! A network prepared for inference has the bits of the network.

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

fn bits<B: Backend, const D: usize>(tensor: &Tensor<B, D>) -> (Vec<usize>, Vec<u32>) {
    let HostTensor { shape, values } = HostTensor::read("answers", tensor).unwrap();
    (shape, values.into_iter().map(f32::to_bits).collect())
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
    let plan = InferencePlan::new(one.clone());
    // One image, several, and one again: with weights that were packed for another batch.
    for batch in [1, 3, 1] {
        let name = format!("{} on {}, {batch}", architecture.name(), B::name(&Default::default()));
        let images = images::<B>(batch, input);
        let logits = bits(&one.forward(images.clone()));
        assert_eq!(bits(&plan.forward(images.clone())), logits, "{name}");
        assert_eq!(
            bits(&plan.class_maps(images.clone())),
            bits(&one.class_maps(images.clone())),
            "{name}"
        );
        // Another network has packed weights of its own.
        let others = bits(&other.forward(images.clone()));
        assert_ne!(others, logits, "{name}");
        assert_eq!(bits(&InferencePlan::new(other.clone()).forward(images)), others, "{name}");
    }
}

#[test]
fn a_plan_has_the_bits_of_its_network() {
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
    assert_eq!(bits(&InferencePlan::new(network).forward(images)), expected);
}
