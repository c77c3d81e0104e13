//! The counters of a training, `state.json`.

use serde::{Deserialize, Serialize};

use super::names::{epoch_name, step_name};
use crate::events::Ending;
use crate::figures::Figures;
use crate::recipe::TrainingRecipe;
use crate::score::Score;
use crate::sentinel::SentinelState;

/// Where a training stands: with weights and optimiser, all that its future depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TrainingState {
    /// The epoch that goes on, counted from 1.
    pub epoch: usize,
    /// Steps of it that are done.
    pub step: usize,
    /// Steps done since the beginning of the training.
    pub total_steps: usize,
    /// The sums of the running epoch.
    pub score: Score,
    /// The best test accuracy so far.
    pub best_accuracy: Option<f64>,
    /// The figures of the best epoch so far; a run of old remembers its accuracy alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Figures>,
    /// The test accuracy of the checkpoint that `best` points to; behind `best_accuracy` where that
    /// could not be saved.
    #[serde(default)]
    pub best_saved_accuracy: Option<f64>,
    /// All figures of that checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_saved: Option<Figures>,
    /// Finished epochs since the figure of the best got better.
    pub epochs_since_best: usize,
    /// Length of `metrics.jsonl`, in bytes: what was logged later is cut off on resumption.
    pub metrics_bytes: u64,
    /// The SHA-256 of these bytes; checkpoints of earlier versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_sha256: Option<String>,
    /// Seconds and images of all training steps so far, for the rate at the end.
    pub step_secs: f64,
    /// Images of all training steps so far.
    pub step_images: usize,
    /// The learning rate of the last step.
    #[serde(default)]
    pub learning_rate: f64,
    /// Steps that were dropped because loss or gradient was no number.
    #[serde(default)]
    pub skipped_steps: usize,
    /// Those of them since the last step that was not.
    #[serde(default)]
    pub skipped_in_a_row: usize,
    /// Which attempt of the run this is, counted from 1; more where the sentinel began it again.
    #[serde(default = "first_attempt")]
    pub attempt: usize,
    /// What the sentinel remembers.
    #[serde(default, rename = "vitals")]
    pub sentinel: SentinelState,
}

fn first_attempt() -> usize {
    1
}

impl TrainingState {
    /// Where a training begins.
    pub(crate) fn initial() -> Self {
        Self {
            epoch: 1,
            step: 0,
            total_steps: 0,
            score: Score::default(),
            best_accuracy: None,
            best: None,
            best_saved_accuracy: None,
            best_saved: None,
            epochs_since_best: 0,
            metrics_bytes: 0,
            metrics_sha256: None,
            step_secs: 0.0,
            step_images: 0,
            learning_rate: 0.0,
            skipped_steps: 0,
            skipped_in_a_row: 0,
            attempt: first_attempt(),
            sentinel: SentinelState::default(),
        }
    }

    /// The figures of the best epoch so far.
    pub(crate) fn best_figures(&self) -> Option<Figures> {
        self.best.or(self.best_accuracy.map(Figures::of_accuracy))
    }

    /// The figures of the checkpoint that `best` points to.
    pub(crate) fn best_saved_figures(&self) -> Option<Figures> {
        self.best_saved.or(self.best_saved_accuracy.map(Figures::of_accuracy))
    }

    /// The name of its checkpoint's folder: `epoch-003` at an epoch's end, else `step-00000123`.
    pub(crate) fn folder_name(&self) -> String {
        match self.step {
            0 => epoch_name(self.epoch.saturating_sub(1)),
            _ => step_name(self.total_steps),
        }
    }

    /// How the training has ended, if it has.
    pub(crate) fn ending(&self, recipe: &TrainingRecipe) -> Option<Ending> {
        let patience = recipe.early_stop_epochs;
        if self.epoch > recipe.epochs {
            Some(Ending::Finished)
        } else if patience.is_some_and(|patience| self.epochs_since_best >= patience) {
            Some(Ending::StoppedEarly)
        } else {
            None
        }
    }
}
