//! The rungs of a search: how many trials train for how many epochs.

use nin_train::recipe::{Recipe, ScheduleKind};
use serde::Serialize;

/// A rung: some trials, each trained from its start with a schedule of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rung {
    /// Epochs of each training.
    pub epochs: usize,
    /// Number of trials.
    pub trials: usize,
}

/// Returns the rungs of a search: at each, half as many trials train twice as long, down to two with all epochs. Rungs
/// that would be as long as the next one are left out.
pub fn rungs(trials: usize, epochs: usize) -> Vec<Rung> {
    let mut counts = vec![trials];
    let mut last = trials;
    while last > 2 {
        last = last.div_ceil(2);
        counts.push(last);
    }
    let most = counts.len() - 1;
    let mut rungs: Vec<Rung> = Vec::new();
    for (at, trials) in counts.into_iter().enumerate() {
        let halvings = (most - at) as u32;
        let epochs = epochs.checked_shr(halvings).unwrap_or(0).max(1);
        if rungs.last().is_none_or(|shorter| shorter.epochs < epochs) {
            rungs.push(Rung { epochs, trials });
        }
    }
    rungs
}

/// Returns a recipe for fewer epochs, with its schedule shortened to match.
pub fn shortened(recipe: &Recipe, epochs: usize) -> Recipe {
    let mut recipe = recipe.clone();
    let all = recipe.training.epochs.max(1);
    let scaled = |count: usize| (count as f64 * epochs as f64 / all as f64).round() as usize;
    recipe.training.epochs = epochs;
    recipe.schedule.warmup_steps = scaled(recipe.schedule.warmup_steps);
    if let ScheduleKind::Step { epochs, .. } = &mut recipe.schedule.kind {
        *epochs = scaled(*epochs).max(1);
    }
    recipe
}

#[cfg(test)]
mod tests {
    use nin_train::recipe::RecipeBuilder;

    use super::*;

    #[test]
    fn half_of_the_trials_train_twice_as_long() {
        let list = |trials, epochs| {
            rungs(trials, epochs).iter().map(|rung| (rung.trials, rung.epochs)).collect::<Vec<_>>()
        };
        assert_eq!(list(8, 60), [(8, 15), (4, 30), (2, 60)]);
        assert_eq!(list(5, 10), [(5, 2), (3, 5), (2, 10)]);
        assert_eq!(list(2, 7), [(2, 7)]);
        assert_eq!(list(8, 1), [(8, 1)], "one epoch has no half");
        assert_eq!(list(8, 2), [(8, 1), (2, 2)]);
        assert_eq!(list(256, 3), [(256, 1), (2, 3)]);
    }

    #[test]
    fn a_shorter_training_has_a_shorter_schedule() {
        let recipe = RecipeBuilder::named("pictures").unwrap().build().unwrap();
        let short = shortened(&recipe, 15);
        assert_eq!((short.training.epochs, short.schedule.warmup_steps), (15, 25));
        assert_eq!(shortened(&recipe, recipe.training.epochs), recipe);
        let mut stepped = recipe;
        stepped.schedule.kind = ScheduleKind::Step { epochs: 20, factor: 0.1 };
        let kind = shortened(&stepped, 15).schedule.kind;
        assert_eq!(kind, ScheduleKind::Step { epochs: 5, factor: 0.1 });
    }
}
