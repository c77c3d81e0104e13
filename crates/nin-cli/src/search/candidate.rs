//! The values of a trial, and how they are drawn.

use nin_model::Block;
use nin_random::{Purpose, Stream};
use nin_train::recipe::{NetworkRecipe, OptimizerKind, Recipe};
use serde::{Deserialize, Serialize};

/// The learning rate is drawn from the recipe's, divided and multiplied by up to this.
const RATE_RANGE: f64 = 4.0;

/// The same for a weight decay above 0.
const DECAY_RANGE: f64 = 10.0;

/// The middle of the range of weight decays for a recipe without any, with `AdamW` or Muon, and with SGD.
const USUAL_DECAYS: [f64; 2] = [1e-2, 1e-4];

/// The largest dropout.
const LARGEST_DROPOUT: f64 = 0.6;

/// Dropout is a multiple of this.
const DROPOUT_STEP: f64 = 0.05;

/// The values that a search varies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// `optimizer.learning_rate`
    pub learning_rate: f64,
    /// `optimizer.weight_decay`
    pub weight_decay: f64,
    /// The dropout of each block that has one; `None` if no block has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
}

impl Candidate {
    /// Returns the values of a recipe. If its blocks differ in their dropout, the largest counts.
    pub fn of(recipe: &Recipe) -> Self {
        let dropout = blocks(recipe).iter().map(|block| block.dropout).fold(0.0, f64::max);
        Self {
            learning_rate: recipe.optimizer.learning_rate,
            weight_decay: recipe.optimizer.weight_decay,
            dropout: (dropout > 0.0).then_some(dropout),
        }
    }

    /// Returns a recipe with these values.
    pub fn applied(&self, recipe: &Recipe) -> Recipe {
        let mut recipe = recipe.clone();
        recipe.optimizer.learning_rate = self.learning_rate;
        recipe.optimizer.weight_decay = self.weight_decay;
        if let Some(dropout) = self.dropout {
            set_dropout(&mut recipe, dropout);
        }
        recipe
    }
}

fn blocks(recipe: &Recipe) -> &[Block] {
    match &recipe.model.network {
        NetworkRecipe::Builtin(builtin) => builtin.blocks(),
        NetworkRecipe::Blocks { blocks, .. } => blocks,
    }
}

/// Sets the dropout of each block that has one. A built-in network then becomes a list of blocks.
fn set_dropout(recipe: &mut Recipe, dropout: f64) {
    let mut changed = blocks(recipe).to_vec();
    for block in changed.iter_mut().filter(|block| block.dropout > 0.0) {
        block.dropout = dropout;
    }
    let name = match &recipe.model.network {
        // Only the built-in network itself has its name.
        NetworkRecipe::Builtin(builtin) => format!("{}-found", builtin.name()),
        NetworkRecipe::Blocks { name, .. } => name.clone(),
    };
    recipe.model.network = NetworkRecipe::Blocks { name, blocks: changed };
}

/// Draws candidates around a recipe: a Latin hypercube (McKay, Beckman and Conover, 1979), which spreads each value
/// evenly over its range, on a logarithmic scale for rates.
pub fn candidates(recipe: &Recipe, count: usize) -> Vec<Candidate> {
    let base = Candidate::of(recipe);
    let [rates, decays, dropouts] = [0, 1, 2].map(|value| {
        let stream = Stream::new(recipe.training.seed, Purpose::Search, [value, 0]);
        let places = Stream::new(recipe.training.seed, Purpose::Search, [value, 1]);
        let strata = stream.permutation(count).into_iter().zip(0..);
        strata
            .map(|(stratum, at)| (stratum as f64 + f64::from(places.uniform(at))) / count as f64)
            .collect::<Vec<f64>>()
    });
    let decay = match (base.weight_decay, recipe.optimizer.kind) {
        (decay, _) if decay > 0.0 => decay,
        (_, OptimizerKind::AdamW { .. } | OptimizerKind::Muon { .. }) => USUAL_DECAYS[0],
        _ => USUAL_DECAYS[1],
    };
    let draw = |at: usize| Candidate {
        learning_rate: around(base.learning_rate, RATE_RANGE, rates[at]),
        // More would be refused.
        weight_decay: around(decay, DECAY_RANGE, decays[at]).min(1.0),
        dropout: base.dropout.map(|_| {
            let steps = (dropouts[at] * LARGEST_DROPOUT / DROPOUT_STEP).round();
            two_digits(steps * DROPOUT_STEP)
        }),
    };
    (0..count).map(draw).collect()
}

/// Returns a number between `middle / range` and `middle * range`, on a logarithmic scale.
fn around(middle: f64, range: f64, share: f64) -> f64 {
    two_digits(middle * range.powf(2.0 * share - 1.0))
}

/// Rounds to two significant digits, so that a recipe stays readable.
fn two_digits(number: f64) -> f64 {
    format!("{number:.1e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use nin_train::recipe::RecipeBuilder;

    use super::*;

    fn recipe(name: &str) -> Recipe {
        RecipeBuilder::named(name).unwrap().build().unwrap()
    }

    #[test]
    fn each_value_is_spread_over_its_range() {
        let base = recipe("record-fashion-mnist");
        let drawn = candidates(&base, 8);
        assert_eq!(drawn, candidates(&base, 8), "the seed decides");
        let mut rates: Vec<f64> = drawn.iter().map(|drawn| drawn.learning_rate).collect();
        rates.sort_by(f64::total_cmp);
        for (at, rate) in rates.iter().enumerate() {
            let [low, high] = [at, at + 1].map(|at| 0.0005 * 16_f64.powf(at as f64 / 8.0));
            assert!((low * 0.95..high * 1.05).contains(rate), "{rate} in {low}..{high}");
        }
        for drawn in &drawn {
            assert!((0.005..=0.5).contains(&drawn.weight_decay), "{drawn:?}");
            assert!(
                drawn.dropout.is_some_and(|dropout| (0.0..=0.6).contains(&dropout)),
                "{drawn:?}"
            );
            drawn.applied(&base).validate().unwrap();
        }
    }

    #[test]
    fn only_blocks_with_dropout_change_theirs() {
        let base = recipe("record-large-fashion-mnist");
        let values = Candidate { dropout: Some(0.1), ..Candidate::of(&base) };
        let changed = values.applied(&base);
        let dropouts: Vec<f64> = blocks(&changed).iter().map(|block| block.dropout).collect();
        assert_eq!(dropouts, [0.0, 0.0, 0.0, 0.1, 0.1, 0.0]);
        assert_eq!(Candidate::of(&changed), values);
    }

    #[test]
    fn a_built_in_network_becomes_a_list_of_blocks() {
        let mut base = recipe("d2l-fashion-mnist-96");
        base.optimizer.weight_decay = 0.0;
        let drawn = candidates(&base, 2)[0];
        assert!((1e-5..=1e-3).contains(&drawn.weight_decay), "{drawn:?}");
        let changed = drawn.applied(&base);
        assert_eq!(changed.architecture(1, 10).unwrap().name(), "d2l-found");
        changed.validate().unwrap();
    }
}
