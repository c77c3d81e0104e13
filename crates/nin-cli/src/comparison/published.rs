//! The published results of the book's own runs.

use nin_train::RunHistory;
use nin_train::recipe::{Recipe, RecipeBuilder};
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
    source: "the book's own runs, PyTorch on cuda:0, 224x224",
    runs: 112,
    at_chance: 7,
    below_070: 25,
    at_least_085: 52,
    median: 0.8445,
    max: 0.885,
};

/// Returns whether a run uses exactly the book's recipe, at any input size and with any seed.
pub(super) fn is_by_the_book(history: &RunHistory) -> bool {
    let book = RecipeBuilder::named("d2l-fashion-mnist").and_then(RecipeBuilder::build);
    book.is_ok_and(|book| is_the_same(&book, &history.recipe))
}

fn is_the_same(book: &Recipe, recipe: &Recipe) -> bool {
    let mut recipe = recipe.clone();
    recipe.data.input_size = book.data.input_size;
    recipe.training.seed = book.training.seed;
    recipe.training.on_non_finite = book.training.on_non_finite;
    recipe.training.on_collapse = book.training.on_collapse;
    recipe.checkpoint = book.checkpoint.clone();
    *book == recipe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_recipe_allows_any_size_and_seed_but_no_other_rate() {
        let book = RecipeBuilder::named("d2l-fashion-mnist").unwrap().build().unwrap();
        let mut builder = RecipeBuilder::named("d2l-fashion-mnist-96").unwrap();
        builder.assign("training.seed=7").unwrap();
        assert!(is_the_same(&book, &builder.clone().build().unwrap()));
        builder.assign("optimizer.learning_rate=0.05").unwrap();
        assert!(!is_the_same(&book, &builder.build().unwrap()));
    }
}
