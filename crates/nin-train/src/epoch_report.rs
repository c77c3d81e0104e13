//! The report of a finished epoch, and its form in `metrics.jsonl`.

use nin_data::Part;
use serde::{Deserialize, Serialize};

/// Largest distance from the loss of guessing that counts as guessing, in nats.
const GUESS_TOLERANCE: f64 = 0.02;

/// The report of a finished epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "EpochRecord", try_from = "EpochRecord")]
pub struct EpochReport {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Number of steps since the start of the training.
    pub total_steps: usize,
    /// Mean cross-entropy over the training images of the epoch, in nats.
    pub train_loss: f64,
    /// Accuracy over the training images of the epoch, from 0 to 1, while the weights change.
    pub train_accuracy: f64,
    /// The part that the epoch is evaluated on, which chooses the best checkpoint: [`Part::Validation`] if there is
    /// one, otherwise [`Part::Test`].
    pub evaluated_on: Part,
    /// Mean cross-entropy over that part, after the epoch, in nats.
    pub eval_loss: f64,
    /// Accuracy over that part, after the epoch, from 0 to 1.
    pub eval_accuracy: f64,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// Images per second over the training steps, without loading batches.
    pub images_per_sec: f64,
    /// Images per second over the whole training of the epoch, including loading batches.
    pub epoch_images_per_sec: f64,
    /// Duration of the training of the epoch, without its evaluation, in seconds.
    pub train_secs: f64,
    /// Seconds of `train_secs` spent on the check for non-finite values, the sentinel, the log and progress. The check
    /// waits for a device that still computes.
    pub bookkeeping_secs: f64,
    /// Duration of the evaluation, in seconds.
    pub test_secs: f64,
    /// Whether this is the best epoch so far, by `checkpoint.best_by`.
    pub best: bool,
}

impl EpochReport {
    /// Returns whether the evaluation is no better than guessing: its loss is within 0.02 nats of ln(classes), the loss
    /// of equal probabilities.
    pub fn is_at_chance(&self, classes: usize) -> bool {
        (self.eval_loss - (classes as f64).ln()).abs() < GUESS_TOLERANCE
    }
}

/// The JSON of an [`EpochReport`]: `test_loss` and `test_accuracy`, or `validation_loss` and
/// `validation_accuracy`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct EpochRecord {
    epoch: usize,
    total_steps: usize,
    train_loss: f64,
    train_accuracy: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_loss: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_accuracy: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validation_loss: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validation_accuracy: Option<f64>,
    learning_rate: f64,
    images_per_sec: f64,
    epoch_images_per_sec: f64,
    train_secs: f64,
    #[serde(default)]
    bookkeeping_secs: f64,
    test_secs: f64,
    best: bool,
}

impl From<EpochReport> for EpochRecord {
    fn from(report: EpochReport) -> Self {
        let is_test = report.evaluated_on == Part::Test;
        let [test, validation] = [is_test, !is_test]
            .map(|is_it| is_it.then_some((report.eval_loss, report.eval_accuracy)));
        Self {
            epoch: report.epoch,
            total_steps: report.total_steps,
            train_loss: report.train_loss,
            train_accuracy: report.train_accuracy,
            test_loss: test.map(|figures| figures.0),
            test_accuracy: test.map(|figures| figures.1),
            validation_loss: validation.map(|figures| figures.0),
            validation_accuracy: validation.map(|figures| figures.1),
            learning_rate: report.learning_rate,
            images_per_sec: report.images_per_sec,
            epoch_images_per_sec: report.epoch_images_per_sec,
            train_secs: report.train_secs,
            bookkeeping_secs: report.bookkeeping_secs,
            test_secs: report.test_secs,
            best: report.best,
        }
    }
}

impl TryFrom<EpochRecord> for EpochReport {
    type Error = &'static str;

    fn try_from(record: EpochRecord) -> Result<Self, Self::Error> {
        let test = record.test_loss.zip(record.test_accuracy);
        let validation = record.validation_loss.zip(record.validation_accuracy);
        let (evaluated_on, (eval_loss, eval_accuracy)) = match (test, validation) {
            (_, Some(figures)) => (Part::Validation, figures),
            (Some(figures), None) => (Part::Test, figures),
            (None, None) => return Err("neither `test_loss` nor `validation_loss`"),
        };
        Ok(Self {
            epoch: record.epoch,
            total_steps: record.total_steps,
            train_loss: record.train_loss,
            train_accuracy: record.train_accuracy,
            evaluated_on,
            eval_loss,
            eval_accuracy,
            learning_rate: record.learning_rate,
            images_per_sec: record.images_per_sec,
            epoch_images_per_sec: record.epoch_images_per_sec,
            train_secs: record.train_secs,
            bookkeeping_secs: record.bookkeeping_secs,
            test_secs: record.test_secs,
            best: record.best,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_go_by_the_name_of_their_part() {
        for (part, key) in [(Part::Test, "test_loss"), (Part::Validation, "validation_loss")] {
            let report = EpochReport {
                epoch: 3,
                total_steps: 30,
                train_loss: 0.25,
                train_accuracy: 0.5,
                evaluated_on: part,
                eval_loss: 0.75,
                eval_accuracy: 0.125,
                learning_rate: 0.1,
                images_per_sec: 100.0,
                epoch_images_per_sec: 90.0,
                train_secs: 2.0,
                bookkeeping_secs: 0.5,
                test_secs: 1.0,
                best: true,
            };
            let json = serde_json::to_value(&report).unwrap();
            assert_eq!(json[key], 0.75);
            assert_eq!(json.as_object().unwrap().len(), 13);
            assert_eq!(serde_json::from_value::<EpochReport>(json).unwrap(), report);
        }
    }
}
