//! Events of a run, for its observer and for `metrics.jsonl`.

use std::path::PathBuf;

use nin_model::LayerScale;
use serde::{Deserialize, Serialize};

use crate::epoch_report::EpochReport;
use crate::fine_tuning::Transfer;
use crate::sentinel::Alarm;

/// A point of the learning curves within an epoch. Loss and accuracy are means over the epoch so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Number of steps taken in this epoch.
    pub step: usize,
    /// Number of steps per epoch.
    pub steps_per_epoch: usize,
    /// Mean cross-entropy over the epoch so far, in nats.
    pub train_loss: f64,
    /// Accuracy over the epoch so far, from 0 to 1.
    pub train_accuracy: f64,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// Images per second over the training steps of the epoch so far, without loading batches.
    pub images_per_sec: f64,
    /// Estimated seconds until the training of the last epoch is done, at the pace of this epoch.
    pub secs_left: f64,
}

impl StepReport {
    /// Returns the number of epochs done, with a fraction for the current one.
    pub fn epochs_done(&self) -> f64 {
        let done = self.step as f64 / self.steps_per_epoch.max(1) as f64;
        self.epoch.saturating_sub(1) as f64 + done
    }
}

/// The final test of the best checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TestReport {
    /// The checkpoint's epoch, counted from 1.
    pub epoch: usize,
    /// Number of test images.
    pub images: usize,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Accuracy, from 0 to 1.
    pub accuracy: f64,
}

/// Why a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All epochs are done.
    Finished,
    /// The figure of `checkpoint.best_by` did not improve for `training.early_stop_epochs` epochs.
    StoppedEarly,
    /// It was interrupted. Its state is saved.
    Interrupted,
    /// The sentinel gave it up, which `training.on_collapse` allows. Its state is saved.
    Collapsed,
}

/// A line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The run starts.
    Start {
        /// Number of training images.
        train_images: usize,
        /// Number of test images.
        test_images: usize,
        /// Number of validation images; 0 without validation data.
        #[serde(default, skip_serializing_if = "is_zero")]
        validation_images: usize,
        /// Number of pictures that were skipped because they cannot be decoded.
        #[serde(default, skip_serializing_if = "is_zero")]
        bad_pictures: usize,
        /// Number of steps per epoch.
        steps_per_epoch: usize,
        /// Number of epochs.
        epochs: usize,
        /// Number of classes of the network; 0 in logs of earlier versions.
        #[serde(default)]
        classes: usize,
        /// Number of parameters.
        parameters: u64,
    },
    /// The initialization (`lsuv` or `lsuv-open`) fitted the weights to images.
    Fitted {
        /// The scale of each layer's output before fitting, first layer to last.
        layers: Vec<LayerScale>,
    },
    /// The run starts with the weights of another network.
    Loaded(Transfer),
    /// The run resumes from a checkpoint.
    Resume {
        /// The epoch, counted from 1.
        epoch: usize,
        /// Number of finished steps of that epoch.
        step: usize,
    },
    /// A point of the learning curves.
    Step(StepReport),
    /// A finished epoch.
    Epoch(EpochReport),
    /// A checkpoint was written.
    Checkpoint {
        /// The name of its folder.
        name: String,
        /// Number of steps since the start of the training.
        total_steps: usize,
    },
    /// The loss or a gradient of a step is NaN or infinite. The weights keep their values.
    NonFinite {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step of the epoch, counted from 1.
        step: usize,
        /// Mean cross-entropy of the batch, in nats; `None` if it is not finite.
        loss: Option<f64>,
        /// The parameter with a non-finite gradient that is nearest to the loss, if there is one.
        layer: Option<String>,
        /// The learning rate of the step.
        learning_rate: f64,
        /// Whether the training continues with the next step.
        skipped: bool,
    },
    /// A gradient of a step in f16 is too large for it. The weights keep their values, and the loss scale is halved.
    LossScale {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step of the epoch, counted from 1.
        step: usize,
        /// The factor on the loss from the next step on.
        factor: f64,
    },
    /// The sentinel raised, changed or ended an alarm.
    Alarm(Alarm),
    /// The sentinel gave up the attempt, and the run restarts. The events above belong to earlier attempts.
    Restart {
        /// The new attempt, counted from 1; 2 at the first restart.
        attempt: usize,
        /// Its seed, derived from the recipe's.
        seed: u64,
        /// The epoch in which the previous attempt was given up, counted from 1.
        epoch: usize,
        /// Number of finished steps of that epoch.
        step: usize,
    },
    /// The final test of the best checkpoint, which validation data chose.
    Tested(TestReport),
    /// A warning. The training continues.
    Warning {
        /// The message, on one line.
        message: String,
    },
    /// The training ended.
    End {
        /// Why.
        ending: Ending,
    },
}

/// Returns whether a count is 0, to leave it out of the JSON.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Returns the events after the last restart, or all events without one.
pub(crate) fn last_attempt(events: &[Event]) -> &[Event] {
    let restart = events.iter().rposition(|event| matches!(event, Event::Restart { .. }));
    &events[restart.map_or(0, |at| at + 1)..]
}

/// The progress of a run, reported at every step and not logged.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// A training step is done.
    Training(StepReport),
    /// A batch of an evaluation is done.
    Testing {
        /// The epoch, counted from 1.
        epoch: usize,
        /// Number of images done.
        images: usize,
        /// Number of images in total.
        total: usize,
    },
}

/// Receives the events and the progress of a run. Every method does nothing by default.
pub trait Observer: Send {
    /// Called when an attempt is about to start. The run's folder exists.
    fn begin(&mut self, run: &RunDescription) {
        let _ = run;
    }

    /// Called for each event in the log.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }

    /// Called after each training step and each batch of an evaluation.
    fn progress(&mut self, progress: &Progress) {
        let _ = progress;
    }
}

/// Ignores everything.
impl Observer for () {}

impl<T: Observer + ?Sized> Observer for Box<T> {
    fn begin(&mut self, run: &RunDescription) {
        (**self).begin(run);
    }

    fn event(&mut self, event: &Event) {
        (**self).event(event);
    }

    fn progress(&mut self, progress: &Progress) {
        (**self).progress(progress);
    }
}

/// A run that is about to start or resume.
#[derive(Debug, Clone)]
pub struct RunDescription {
    /// The run's folder.
    pub folder: PathBuf,
    /// The architecture's name.
    pub architecture: String,
    /// The data set's name.
    pub dataset: String,
    /// `[channels, height, width]` of the network's input.
    pub input: [usize; 3],
    /// Number of epochs.
    pub epochs: usize,
    /// Number of steps per epoch.
    pub steps_per_epoch: usize,
    /// The epoch, counted from 1, and the number of its finished steps; `(1, 0)` unless resumed.
    pub start: (usize, usize),
}
