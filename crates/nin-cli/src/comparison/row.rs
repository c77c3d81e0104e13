//! The figures of one run.

use nin_data::Part;
use nin_train::{Ending, Event, RunHistory};
use serde::Serialize;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All its epochs are done.
    Finished,
    /// The test accuracy got no better.
    StoppedEarly,
    /// The sentinel gave it up.
    Collapsed,
    /// Loss or gradient became no number.
    Diverged,
    /// It was interrupted, or goes on, or was cut off.
    Unfinished,
}

impl State {
    fn of(history: &RunHistory) -> Self {
        match history.ending() {
            Some(Ending::Finished) => Self::Finished,
            Some(Ending::StoppedEarly) => Self::StoppedEarly,
            Some(Ending::Collapsed) => Self::Collapsed,
            _ => match history.events.last() {
                Some(Event::NonFinite { skipped: false, .. }) => Self::Diverged,
                _ => Self::Unfinished,
            },
        }
    }

    /// Whether its figures are final.
    pub fn has_ended(self) -> bool {
        self != Self::Unfinished
    }

    fn words(self) -> &'static str {
        match self {
            Self::Finished => "",
            Self::StoppedEarly => "stopped early",
            Self::Collapsed => "collapsed",
            Self::Diverged => "diverged",
            Self::Unfinished => "unfinished",
        }
    }
}

/// The figures of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The folder's name; its path, where two have the same.
    pub run: String,
    /// The seed that the weights come from.
    pub seed: u64,
    /// Attempts that it took; more than 1 where the sentinel began it again.
    pub attempts: usize,
    /// How it stands.
    pub state: State,
    /// Finished epochs.
    pub epochs: usize,
    /// Epochs of the recipe.
    pub epochs_asked: usize,
    /// Mean cross-entropy over the last finished epoch, in nats.
    pub train_loss: Option<f64>,
    /// Share of right answers over the last finished epoch.
    pub train_accuracy: Option<f64>,
    /// Share of right answers over the test images: of the best checkpoint where validation images
    /// chose it, else after the last finished epoch.
    pub test_accuracy: Option<f64>,
    /// The best of all epochs, where test images chose it.
    pub best_test_accuracy: Option<f64>,
    /// The best of all epochs, where validation images chose it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_validation_accuracy: Option<f64>,
    /// Images a second of the last epoch's training steps.
    pub images_per_sec: Option<f64>,
    /// Whether the sentinel called it dead, and that is not over.
    pub dead: bool,
    /// Whether it is dead, or its test loss that of a guess; unknown before the first epoch is done.
    pub at_chance: Option<bool>,
    /// Classes that were silent at the end: 0 for every image.
    pub silent_classes: Vec<String>,
}

impl Row {
    /// Returns the figures of a run, under this name.
    pub(super) fn of(history: &RunHistory, run: String) -> Self {
        let last = history.epochs().last();
        let best_on = |part: Part| {
            let best = history.best_epoch().filter(|best| best.evaluated_on == part);
            best.map(|best| best.eval_accuracy)
        };
        Self {
            run,
            seed: history.seed(),
            attempts: history.attempts(),
            state: State::of(history),
            epochs: history.epochs().count(),
            epochs_asked: history.recipe.training.epochs,
            train_loss: last.map(|epoch| epoch.train_loss),
            train_accuracy: last.map(|epoch| epoch.train_accuracy),
            test_accuracy: history.test_accuracy(),
            best_test_accuracy: best_on(Part::Test),
            best_validation_accuracy: best_on(Part::Validation),
            images_per_sec: last.map(|epoch| epoch.images_per_sec),
            dead: history.is_dead(),
            at_chance: history.is_at_chance(),
            silent_classes: history.silent_classes().to_vec(),
        }
    }

    /// What is not as it should be, in a word or two.
    pub fn remark(&self) -> String {
        let mut remarks = Vec::new();
        if self.dead {
            remarks.push("dead".to_owned());
        } else if self.at_chance == Some(true) {
            remarks.push("at chance".to_owned());
        } else if !self.silent_classes.is_empty() {
            remarks.push(format!("{} silent", self.silent_classes.len()));
        }
        if !self.state.words().is_empty() {
            remarks.push(self.state.words().to_owned());
        }
        if self.attempts > 1 {
            remarks.push(format!("attempt {}", self.attempts));
        }
        remarks.join(", ")
    }
}
