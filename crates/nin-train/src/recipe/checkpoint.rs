//! `[checkpoint]`: when checkpoints are written, and which one is the best.

use serde::{Deserialize, Serialize};

use super::zero_is_none;

/// The section `[checkpoint]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointRecipe {
    /// Saves after this many steps, in addition to the end of each epoch; `None` saves at the end of epochs only.
    #[serde(with = "zero_is_none")]
    pub every_steps: Option<usize>,
    /// Number of newest checkpoints to keep, in addition to the best; `None` keeps all.
    #[serde(with = "zero_is_none")]
    pub keep: Option<usize>,
    /// The figure that selects the best checkpoint.
    pub best_by: BestBy,
}

/// The figure that selects the best checkpoint and that early stopping watches. Ties in accuracy go to the lower loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BestBy {
    /// Accuracy.
    #[default]
    Accuracy,
    /// Mean recall over the classes.
    BalancedAccuracy,
    /// Mean cross-entropy.
    Loss,
}

impl Default for CheckpointRecipe {
    fn default() -> Self {
        Self { every_steps: None, keep: Some(3), best_by: BestBy::Accuracy }
    }
}
