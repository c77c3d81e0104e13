//! What happens in a run, for whoever watches it and for `metrics.jsonl`.

use std::path::PathBuf;

use nin_model::LayerScale;
use serde::{Deserialize, Serialize};

use crate::epoch_report::EpochReport;
use crate::fine_tuning::Transfer;
use crate::sentinel::Alarm;

/// A point of the curves within an epoch: means over the epoch so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Counted from 1.
    pub epoch: usize,
    /// Steps taken in this epoch.
    pub step: usize,
    /// Steps of an epoch.
    pub steps_per_epoch: usize,
    /// Mean cross-entropy over the epoch so far, in nats.
    pub train_loss: f64,
    /// Share of right answers over the epoch so far.
    pub train_accuracy: f64,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// Images a second of the epoch's training steps so far, the fetching of batches left out.
    pub images_per_sec: f64,
    /// Seconds until the last epoch's training is done, at the pace of this epoch so far.
    pub secs_left: f64,
}

impl StepReport {
    /// Epochs done by then, the running one in part: where a curve has this point.
    pub fn epochs_done(&self) -> f64 {
        let done = self.step as f64 / self.steps_per_epoch.max(1) as f64;
        self.epoch.saturating_sub(1) as f64 + done
    }
}

/// The test of a training's best checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TestReport {
    /// The epoch after which the checkpoint was written, counted from 1.
    pub epoch: usize,
    /// Test images.
    pub images: usize,
    /// Mean cross-entropy over them, in nats.
    pub loss: f64,
    /// Share of right answers.
    pub accuracy: f64,
}

/// Why a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All its epochs are done.
    Finished,
    /// The accuracy got no better for as many epochs as the recipe allows.
    StoppedEarly,
    /// It was asked to stop, and its state is saved.
    Interrupted,
    /// The sentinel gave it up, as `training.on_collapse` allows; its state is saved.
    Collapsed,
}

/// A line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The run begins.
    Start {
        /// Training images an epoch.
        train_images: usize,
        /// Test images.
        test_images: usize,
        /// Validation images; 0 where there are none.
        #[serde(default, skip_serializing_if = "is_zero")]
        validation_images: usize,
        /// Pictures that were left out because they cannot be decoded.
        #[serde(default, skip_serializing_if = "is_zero")]
        bad_pictures: usize,
        /// Steps of an epoch.
        steps_per_epoch: usize,
        /// Epochs.
        epochs: usize,
        /// Classes that the network tells apart; 0 in records of old.
        #[serde(default)]
        classes: usize,
        /// Weights and biases.
        parameters: u64,
    },
    /// The initial weights were fitted to images, as `lsuv` and `lsuv-open` do.
    Fitted {
        /// What each layer gave before, first layer to last.
        layers: Vec<LayerScale>,
    },
    /// The run begins with weights of another network.
    Loaded(Transfer),
    /// The run goes on from a checkpoint.
    Resume {
        /// The epoch that goes on, counted from 1.
        epoch: usize,
        /// Steps of it that were done.
        step: usize,
    },
    /// A point of the curves.
    Step(StepReport),
    /// A finished epoch.
    Epoch(EpochReport),
    /// A checkpoint is on the disk.
    Checkpoint {
        /// Its folder's name.
        name: String,
        /// Steps taken since the beginning of the training.
        total_steps: usize,
    },
    /// Loss or gradient of a step was no number: the weights were not touched.
    NonFinite {
        /// Counted from 1.
        epoch: usize,
        /// Of the epoch, counted from 1.
        step: usize,
        /// Mean cross-entropy of the batch, in nats; absent where it is no number itself.
        loss: Option<f64>,
        /// The parameter in whose gradient it came up first, if one is not finite.
        layer: Option<String>,
        /// The learning rate of the step.
        learning_rate: f64,
        /// Whether the training goes on with the next step.
        skipped: bool,
    },
    /// The sentinel saw what kills the network, or the end of it.
    Alarm(Alarm),
    /// The sentinel gave the run up, and it begins again; what stands above is of the attempt before.
    Restart {
        /// Which attempt begins, counted from 1: 2 at the first restart.
        attempt: usize,
        /// Its seed, drawn from the recipe's.
        seed: u64,
        /// The epoch in which the attempt before was given up.
        epoch: usize,
        /// The step of that epoch.
        step: usize,
    },
    /// The best checkpoint was tested, once: its validation chose it.
    Tested(TestReport),
    /// Something is not as it should be, and the training goes on.
    Warning {
        /// What, on one line.
        message: String,
    },
    /// The training ended.
    End {
        /// Why.
        ending: Ending,
    },
}

/// Whether a count is left out of JSON.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Of a run's events those behind the last restart: all, where the sentinel never began it again.
pub(crate) fn last_attempt(events: &[Event]) -> &[Event] {
    let restart = events.iter().rposition(|event| matches!(event, Event::Restart { .. }));
    &events[restart.map_or(0, |at| at + 1)..]
}

/// Where a run is, at every step: for progress, not for the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// A training step is done.
    Training(StepReport),
    /// Images are answered for an evaluation.
    Testing {
        /// The epoch, counted from 1.
        epoch: usize,
        /// Images answered.
        images: usize,
        /// Images in all.
        total: usize,
    },
}

/// Someone who watches a run.
pub trait Observer: Send {
    /// The run's folder is there, and the training is about to begin.
    fn begin(&mut self, run: &RunDescription) {
        let _ = run;
    }

    /// Something happened that the log keeps.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }

    /// A step is done.
    fn progress(&mut self, progress: &Progress) {
        let _ = progress;
    }
}

/// An observer that looks away.
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

/// What is about to be trained.
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
    /// Epochs in all.
    pub epochs: usize,
    /// Steps of an epoch.
    pub steps_per_epoch: usize,
    /// The epoch and step that it begins at; `(1, 0)` unless resumed.
    pub start: (usize, usize),
}
