//! The state of a training besides its tensors, `state.json`.

use serde::{Deserialize, Serialize};

use super::names::{epoch_name, step_name};
use crate::events::Ending;
use crate::figures::Figures;
use crate::loss_scale::LossScale;
use crate::recipe::TrainingRecipe;
use crate::score::Score;
use crate::sentinel::SentinelState;

/// The state of a training besides weights and optimizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TrainingState {
    /// The current epoch, counted from 1.
    pub epoch: usize,
    /// Number of finished steps of this epoch.
    pub step: usize,
    /// Number of finished steps since the start of the training.
    pub total_steps: usize,
    /// Loss and accuracy of the current epoch, as sums.
    pub score: Score,
    /// The best accuracy of all evaluations so far.
    pub best_accuracy: Option<f64>,
    /// The figures of the best epoch so far; `None` in runs of earlier versions, which only have the accuracy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Figures>,
    /// The accuracy of the checkpoint that `best` points to. Below `best_accuracy` if that state could not be saved.
    #[serde(default)]
    pub best_saved_accuracy: Option<f64>,
    /// The figures of that checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_saved: Option<Figures>,
    /// Number of epochs since the figure of `checkpoint.best_by` improved.
    pub epochs_since_best: usize,
    /// Length of `metrics.jsonl`, in bytes. Resuming cuts off later lines.
    pub metrics_bytes: u64,
    /// SHA-256 of these bytes; `None` in checkpoints of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_sha256: Option<String>,
    /// Duration of all training steps so far, in seconds.
    pub step_secs: f64,
    /// Number of images of all training steps so far.
    pub step_images: usize,
    /// The learning rate of the last step.
    #[serde(default)]
    pub learning_rate: f64,
    /// Number of steps that were skipped because of a non-finite loss or gradient, which includes overflows of f16.
    #[serde(default)]
    pub skipped_steps: usize,
    /// Number of skipped steps since the last one that was not.
    #[serde(default)]
    pub skipped_in_a_row: usize,
    /// The factor on the loss, if the training is in f16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<LossScale>,
    /// The attempt, counted from 1. Each restart by the sentinel adds one.
    #[serde(default = "first_attempt")]
    pub attempt: usize,
    /// The state of the sentinel.
    #[serde(default, rename = "vitals")]
    pub sentinel: SentinelState,
}

fn first_attempt() -> usize {
    1
}

impl TrainingState {
    /// Returns the state before the first step.
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
            loss_scale: None,
            attempt: first_attempt(),
            sentinel: SentinelState::default(),
        }
    }

    /// Returns the figures of the best epoch so far.
    pub(crate) fn best_figures(&self) -> Option<Figures> {
        self.best.or(self.best_accuracy.map(Figures::of_accuracy))
    }

    /// Returns the figures of the checkpoint that `best` points to.
    pub(crate) fn best_saved_figures(&self) -> Option<Figures> {
        self.best_saved.or(self.best_saved_accuracy.map(Figures::of_accuracy))
    }

    /// Returns the name of the checkpoint's folder: `epoch-003` at the end of an epoch, otherwise `step-00000123`.
    pub(crate) fn folder_name(&self) -> String {
        match self.step {
            0 => epoch_name(self.epoch.saturating_sub(1)),
            _ => step_name(self.total_steps),
        }
    }

    /// Returns how the training ended; `None` if it has not.
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
