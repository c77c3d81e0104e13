//! What a training came to: the book's two closing lines, and `summary.json`.

use std::time::Duration;

use serde::Serialize;

use crate::checkpoint::TrainingState;
use crate::events::{Ending, EpochReport};

/// The result of a training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Why it ended.
    pub ending: Ending,
    /// Epochs that were finished.
    pub epochs: usize,
    /// The last finished epoch of this process, if one was finished.
    pub last_epoch: Option<EpochReport>,
    /// The best test accuracy of all epochs.
    pub best_test_accuracy: Option<f64>,
    /// Images a second of all training steps, the fetching of batches left out.
    pub examples_per_sec: f64,
    /// Seconds that this process trained and tested.
    pub elapsed_secs: f64,
}

impl Summary {
    pub(crate) fn new(
        state: &TrainingState,
        last_epoch: Option<EpochReport>,
        ending: Ending,
        elapsed: Duration,
    ) -> Self {
        let secs = state.step_secs;
        Self {
            ending,
            epochs: state.epoch - 1,
            last_epoch,
            best_test_accuracy: state.best_accuracy,
            examples_per_sec: if secs > 0.0 { state.step_images as f64 / secs } else { 0.0 },
            elapsed_secs: elapsed.as_secs_f64(),
        }
    }

    /// The book's two closing lines, such as `loss 0.563, train acc 0.786, test acc 0.790` and
    /// `3087.6 examples/sec on cuda:0`; `None` where no epoch was finished.
    pub fn closing_lines(&self, device: &str) -> Option<String> {
        let last = self.last_epoch.as_ref()?;
        Some(format!(
            "loss {:.3}, train acc {:.3}, test acc {:.3}\n{:.1} examples/sec on {device}",
            last.train_loss, last.train_accuracy, last.test_accuracy, self.examples_per_sec
        ))
    }
}
