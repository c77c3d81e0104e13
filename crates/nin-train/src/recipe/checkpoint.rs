//! `[checkpoint]`: when the state is saved, and which checkpoint is the best.

use serde::{Deserialize, Serialize};

use super::zero_is_none;

/// `[checkpoint]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointRecipe {
    /// Saves every this many steps, besides each epoch's end.
    #[serde(with = "zero_is_none")]
    pub every_steps: Option<usize>,
    /// How many of the newest checkpoints are kept besides the best; `None` keeps all.
    #[serde(with = "zero_is_none")]
    pub keep: Option<usize>,
    /// Which figure makes a checkpoint the best.
    pub best_by: BestBy,
}

/// The figure that chooses the best checkpoint and that early stopping watches. Of equal accuracies the one with the
/// lower loss is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BestBy {
    /// The share of right answers.
    #[default]
    Accuracy,
    /// The mean recall of the classes.
    BalancedAccuracy,
    /// The mean cross-entropy.
    Loss,
}

impl Default for CheckpointRecipe {
    fn default() -> Self {
        Self { every_steps: None, keep: Some(3), best_by: BestBy::Accuracy }
    }
}
