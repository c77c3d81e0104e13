//! Tests layer-sequential unit variance (LSUV) on real images.

use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use nin_data::{DataSet, FASHION_MNIST_SAMPLE, Locations, OrderedLoader};
use nin_model::{Architecture, Builtin, HostTensor, Initialization, NetworkInNetwork, Weights};
use nin_train::recipe::RecipeBuilder;

use crate::kernels::override_instruction_set;

/// Rounding of weights and of sums of a few hundred products to 32 bits.
const TOLERANCE: f64 = 1e-4;

/// Returns the first images of the sample, resized to this side in pixels.
fn images(count: usize, side: usize) -> Vec<f32> {
    let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default()).unwrap();
    let loader =
        OrderedLoader::<Flex>::in_order(data.train, 1, &FlexDevice).with_size([side, side]);
    loader.values(&(0..count).collect::<Vec<_>>()).unwrap()
}

fn fitted(
    kind: Initialization,
    architecture: &Architecture,
    seed: u64,
    images: &[f32],
    side: usize,
) -> Weights {
    override_instruction_set();
    let mut weights = kind.weights(architecture, seed);
    kind.fit(&mut weights, architecture, images, [1, side, side]).unwrap();
    weights
}

#[test]
fn every_layer_has_unit_variance_and_no_mean() {
    let architecture = Builtin::PaperMnist.architecture(1, 10).unwrap();
    let images = images(40, 28);
    for (kind, last) in [(Initialization::Lsuv, 1.0), (Initialization::LsuvOpen, 0.1)] {
        let mut weights = fitted(kind, &architecture, 1, &images, 28);
        // A second fit measures what the first one left.
        let layers = kind.fit(&mut weights, &architecture, &images, [1, 28, 28]).unwrap();
        assert_eq!(layers.len(), 9);
        for (index, layer) in layers.iter().enumerate() {
            let expected = if index == 8 { last } else { 1.0 };
            assert!((layer.deviation - expected).abs() < TOLERANCE, "{kind:?}: {layer:?}");
        }
    }
}

const OTHERS: usize = 64;

/// Returns images of one channel and this side as a batch.
fn batch(images: &[f32], side: usize) -> Tensor<Flex, 4> {
    let shape = [images.len() / (side * side), 1, side, side];
    Tensor::from_data(TensorData::new(images.to_vec(), shape), &FlexDevice)
}

/// Returns for each class the number of images that it is open for, with a logit above 0.
fn open_images(
    architecture: &Architecture,
    weights: &Weights,
    images: &Tensor<Flex, 4>,
) -> Vec<usize> {
    let network = NetworkInNetwork::from_weights(architecture, weights, &FlexDevice).unwrap();
    let logits = HostTensor::read("logits", &network.forward(images.clone())).unwrap();
    let open =
        |class| logits.values.iter().skip(class).step_by(10).filter(|&&logit| logit > 0.0).count();
    (0..10).map(open).collect()
}

/// Fits on 32 images. Returns for each seed the number of the [`OTHERS`] that the least open class is open for.
fn open_at_the_start(builtin: Builtin, side: usize, seeds: u64) -> Vec<usize> {
    let architecture = builtin.architecture(1, 10).unwrap();
    let images = images(32 + OTHERS, side);
    let (sample, others) = images.split_at(32 * side * side);
    let others = batch(others, side);
    let least_open = |seed| {
        let weights = fitted(Initialization::LsuvOpen, &architecture, seed, sample, side);
        open_images(&architecture, &weights, &others).into_iter().min().unwrap()
    };
    (0..seeds).map(least_open).collect()
}

#[test]
fn every_class_is_alive_at_the_start_whatever_the_seed() {
    let open = open_at_the_start(Builtin::PaperMnist, 28, 100);
    assert!(open.iter().all(|&open| open == OTHERS), "{open:?}");
}

/// The initial weights of `steady-fashion-mnist-96`. Its last map has one cell, so single images close a class, but no
/// class is silent.
#[test]
#[ignore = "takes minutes: orthonormalizes 2 million weights a hundred times"]
fn every_class_of_the_books_network_is_alive_at_the_start_whatever_the_seed() {
    let open = open_at_the_start(Builtin::D2l, 96, 100);
    println!("number of {OTHERS} images that the least open class is open for, by seed: {open:?}");
    assert!(open.iter().all(|&open| open > OTHERS * 9 / 10), "{open:?}");
}

/// docs/why-nin-collapses.md trains seed 2256. Seed 3, for comparison, starts with two closed classes.
#[test]
fn one_seed_of_the_books_recipe_is_dead_before_its_first_step() {
    let recipe = RecipeBuilder::named("d2l-fashion-mnist-96").unwrap().build().unwrap();
    let (architecture, initialization) =
        (recipe.architecture(1, 10).unwrap(), recipe.model.initialization);
    let images = batch(&images(16, 96), 96);
    let open =
        |seed| open_images(&architecture, &initialization.weights(&architecture, seed), &images);
    assert_eq!(open(2256), [0; 10]);
    assert_eq!(open(3).iter().filter(|open| **open == 0).count(), 2);
}

#[test]
fn what_cannot_be_fitted_is_an_error_or_left_alone() {
    let architecture = Builtin::PaperMnist.architecture(1, 10).unwrap();
    let mut weights = Initialization::Lsuv.weights(&architecture, 1);
    assert!(Initialization::Lsuv.fit(&mut weights, &architecture, &[], [1, 28, 28]).is_err());
    let before = weights.clone();
    // Black images carry no information about the scale.
    Initialization::Lsuv.fit(&mut weights, &architecture, &[0.0; 3 * 784], [1, 28, 28]).unwrap();
    assert_eq!(weights, before);
}
