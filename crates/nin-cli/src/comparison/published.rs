//! The published results of the book's own runs.

use nin_data::FASHION_MNIST;
use nin_model::Builtin;
use nin_train::recipe::{NetworkRecipe, Recipe};
use serde::Serialize;

/// A published distribution of test accuracies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Published {
    /// The source of the runs.
    pub source: &'static str,
    /// The number of runs.
    pub runs: usize,
    /// Runs at chance: loss 2.303, accuracy 0.10.
    pub at_chance: usize,
    /// Runs below 0.70, including those at chance.
    pub below_070: usize,
    /// Runs at 0.85 or above.
    pub at_least_085: usize,
    /// The median test accuracy.
    pub median: f64,
    /// The best test accuracy.
    pub max: f64,
}

/// The executed notebooks of the book's repositories, de-duplicated, at 224x224.
pub const PUBLISHED: Published = Published {
    source: "the book's own runs by its recipe, PyTorch on cuda:0, 224x224",
    runs: 112,
    at_chance: 7,
    below_070: 25,
    at_least_085: 52,
    median: 0.8445,
    max: 0.885,
};

/// Returns whether a recipe trains the book's network on its data, at any input size and by any training.
pub(super) fn trains_the_books_network(recipe: &Recipe) -> bool {
    let Recipe { model, data, .. } = recipe;
    model.network == NetworkRecipe::Builtin(Builtin::D2l) && data.dataset == FASHION_MNIST
}

#[cfg(test)]
mod tests {
    use nin_train::recipe::RecipeBuilder;

    use super::*;

    #[test]
    fn the_books_network_on_its_data_by_any_training() {
        let is_the_books_with = |name: &str, change: &str| {
            let mut builder = RecipeBuilder::named(name).unwrap();
            builder.assign(change).unwrap();
            trains_the_books_network(&builder.build().unwrap())
        };
        for name in ["d2l-fashion-mnist", "d2l-fashion-mnist-96", "steady-fashion-mnist-96"] {
            assert!(is_the_books_with(name, "optimizer.learning_rate=0.05"), "{name}");
            assert!(!is_the_books_with(name, "data.dataset=fashion-mnist-sample"), "{name}");
        }
        assert!(!is_the_books_with("record-fashion-mnist", "training.seed=7"));
    }
}
