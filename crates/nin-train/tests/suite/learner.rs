//! A learner with a constant learning rate.

use burn::tensor::backend::AutodiffBackend;
use nin_model::NetworkInNetwork;
use nin_train::recipe::{OptimizerRecipe, Recipe};
use nin_train::{Classifier, StepLearner};

pub(crate) fn learner<B: AutodiffBackend>(
    network: NetworkInNetwork<B>,
    seed: u64,
    optimizer: &OptimizerRecipe,
    device: &B::Device,
) -> StepLearner<B> {
    let recipe = Recipe { optimizer: optimizer.clone(), ..Recipe::default() };
    StepLearner::new(Classifier::new(network, seed), &recipe, 1, device).unwrap()
}
