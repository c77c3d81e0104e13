//! Burn's learner over our parts, as a run puts them together.

use burn::tensor::backend::AutodiffBackend;
use burn::train::Learner;
use nin_model::NetworkInNetwork;
use nin_train::recipe::{OptimizerRecipe, Recipe};
use nin_train::{Classifier, Components, GradientDescent, RunOptimizer, Schedule};

/// A learner at a constant rate.
pub(crate) fn learner<B: AutodiffBackend>(
    network: NetworkInNetwork<B>,
    seed: u64,
    optimizer: &OptimizerRecipe,
    steps: usize,
) -> Learner<Components<B>> {
    let Recipe { schedule, training, .. } = Recipe::default();
    let schedule = Schedule::new(&schedule, optimizer, &training, steps);
    let optimizer = RunOptimizer::from(GradientDescent::new(optimizer));
    Learner::new(Classifier::new(network, seed), optimizer, schedule)
}
