//! The result of a training: the book's two closing lines, and `summary.json`.

use std::time::Duration;

use serde::Serialize;

use nin_data::Part;
use nin_model::ModelMetadata;

use crate::checkpoint::TrainingState;
use crate::epoch_report::EpochReport;
use crate::events::{Ending, TestReport, is_zero};
use crate::figures::Figures;
use crate::sentinel::AlarmKind;

/// The result of a training.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Why the training ended.
    pub ending: Ending,
    /// Number of finished epochs.
    pub epochs: usize,
    /// The last epoch that this process finished, if any.
    pub last_epoch: Option<EpochReport>,
    /// The best test accuracy of all epochs; `None` if validation data chose the best checkpoint.
    pub best_test_accuracy: Option<f64>,
    /// The best validation accuracy of all epochs; `None` without validation data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_validation_accuracy: Option<f64>,
    /// The figures of the best epoch, by `checkpoint.best_by`; `None` if no epoch is finished.
    #[serde(skip)]
    pub best: Option<Figures>,
    /// The final test of the best checkpoint; `None` without validation data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<TestReport>,
    /// Number of pictures that were skipped because they cannot be decoded.
    #[serde(skip_serializing_if = "is_zero")]
    pub bad_pictures: usize,
    /// Images per second over all training steps, without loading batches.
    pub examples_per_sec: f64,
    /// Time that this process spent training and testing, in seconds.
    pub elapsed_secs: f64,
    /// The seed of the last attempt: the recipe's, unless the sentinel restarted the run.
    pub seed: u64,
    /// The last attempt, counted from 1.
    pub attempt: usize,
    /// The active alarms of the sentinel.
    pub alarms: Vec<AlarmKind>,
    /// The names of the silent classes, whose logit is 0 for every image.
    pub silent_classes: Vec<String>,
}

/// The inputs of a summary, besides the state of the training.
pub(crate) struct SummaryOf<'a> {
    pub(crate) metadata: &'a ModelMetadata,
    pub(crate) seed: u64,
    /// The part that chooses the best checkpoint.
    pub(crate) evaluated_on: Part,
    pub(crate) test: Option<TestReport>,
    pub(crate) bad_pictures: usize,
}

impl Summary {
    pub(crate) fn new(
        state: &TrainingState,
        of: &SummaryOf<'_>,
        last_epoch: Option<EpochReport>,
        ending: Ending,
        elapsed: Duration,
    ) -> Self {
        let SummaryOf { metadata, seed, evaluated_on, test, bad_pictures } = *of;
        let secs = state.step_secs;
        let names = state.sentinel.silent_classes().iter();
        Self {
            ending,
            epochs: state.epoch - 1,
            last_epoch,
            best_test_accuracy: state.best_accuracy.filter(|_| evaluated_on == Part::Test),
            best_validation_accuracy: state
                .best_accuracy
                .filter(|_| evaluated_on == Part::Validation),
            best: state.best_figures(),
            test,
            bad_pictures,
            examples_per_sec: if secs > 0.0 { state.step_images as f64 / secs } else { 0.0 },
            elapsed_secs: elapsed.as_secs_f64(),
            seed,
            attempt: state.attempt,
            alarms: state.sentinel.standing().to_vec(),
            silent_classes: names
                .filter_map(|class| metadata.classes.get(*class).cloned())
                .collect(),
        }
    }

    /// Returns the book's two closing lines, such as `loss 0.563, train acc 0.786, test acc 0.790` and
    /// `3087.6 examples/sec on cuda:0`. If validation data chose the best checkpoint, `test acc` is that of this
    /// checkpoint. Returns `None` if this process finished no epoch.
    pub fn closing_lines(&self, device: &str) -> Option<String> {
        let last = self.last_epoch.as_ref()?;
        Some(Self::book_lines(last, self.test, self.examples_per_sec, device))
    }

    /// Returns the book's two closing lines for an epoch. `test` is the final test of the best checkpoint, if there is
    /// one.
    pub fn book_lines(
        epoch: &EpochReport,
        test: Option<TestReport>,
        examples_per_sec: f64,
        device: &str,
    ) -> String {
        let (part, accuracy) = match test {
            Some(test) => (Part::Test, test.accuracy),
            None => (epoch.evaluated_on, epoch.eval_accuracy),
        };
        format!(
            "loss {:.3}, train acc {:.3}, {} acc {accuracy:.3}\n{examples_per_sec:.1} \
             examples/sec on {device}",
            epoch.train_loss,
            epoch.train_accuracy,
            part.short_name(),
        )
    }
}
