//! The figures of one run.

use nin_data::Part;
use nin_train::{Ending, Event, RunHistory};
use serde::Serialize;

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All epochs are done.
    Finished,
    /// The accuracy stopped improving.
    StoppedEarly,
    /// The sentinel ended it.
    Collapsed,
    /// Loss or gradient became NaN or infinite.
    Diverged,
    /// It was interrupted, or is still running.
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

    /// Returns whether the figures are final.
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
    /// The folder's name, or its path if two have the same name.
    pub run: String,
    /// The seed of the weights.
    pub seed: u64,
    /// The number of attempts: more than 1 if the sentinel restarted it.
    pub attempts: usize,
    /// The state.
    pub state: State,
    /// Finished epochs.
    pub epochs: usize,
    /// Epochs of the recipe.
    pub epochs_asked: usize,
    /// Mean cross-entropy over the last finished epoch, in nats.
    pub train_loss: Option<f64>,
    /// Share of right answers over the last finished epoch.
    pub train_accuracy: Option<f64>,
    /// Share of right answers over the test images: of the best checkpoint if validation images chose it, else
    /// after the last finished epoch.
    pub test_accuracy: Option<f64>,
    /// The best of all epochs, if test images chose it.
    pub best_test_accuracy: Option<f64>,
    /// The best of all epochs, if validation images chose it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_validation_accuracy: Option<f64>,
    /// Images per second of the last epoch's training steps.
    pub images_per_sec: Option<f64>,
    /// Whether the sentinel's last word is that it is dead.
    pub dead: bool,
    /// Whether it is dead or its test loss is that of a guess. `None` before the first epoch is done.
    pub at_chance: Option<bool>,
    /// Classes whose maps were 0 for every image at the end.
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

    /// Describes what is wrong, in a word or two.
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
