//! Several runs side by side: a row each, their spread, the keys in which their recipes differ.

mod plot;
mod published;
mod spread;
mod table;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nin_data::Part;
use nin_train::{Ending, Event, RunFolder, RunHistory, TrainError};
use serde::Serialize;

pub use published::{PUBLISHED, Published};
pub use spread::{Spread, median};

use crate::failure::{CommandError, check_is_local};

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
    fn of(history: &RunHistory, run: String) -> Self {
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

/// A key of the recipe in which the runs differ, with the value of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Such as `training.seed`.
    pub key: String,
    /// In the order of the runs; null where a recipe has no such key.
    pub values: Vec<Option<String>>,
}

/// Several runs side by side.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// A row a run.
    pub runs: Vec<Row>,
    /// Of the runs that have ended.
    pub spread: Spread,
    /// The keys in which the recipes differ.
    pub differences: Vec<Difference>,
    /// What the book's own runs gave, where all of these are by its recipe.
    pub published: Option<Published>,
    #[serde(skip)]
    curves: Vec<plot::Curves>,
}

impl Comparison {
    /// Puts runs side by side, in this order.
    pub fn of(histories: &[RunHistory]) -> anyhow::Result<Self> {
        let runs: Vec<Row> = histories
            .iter()
            .zip(names(histories))
            .map(|(history, name)| Row::of(history, name))
            .collect();
        let is_the_books = !histories.is_empty() && histories.iter().all(published::is_by_the_book);
        Ok(Self {
            spread: Spread::of(&runs),
            differences: differences(histories)?,
            published: is_the_books.then_some(PUBLISHED),
            curves: histories.iter().map(plot::Curves::of).collect(),
            runs,
        })
    }
}

/// Reads the runs of these folders; a folder of runs counts as its runs.
pub fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<RunHistory>> {
    let mut histories = Vec::new();
    for path in paths {
        for folder in runs_in(path)? {
            histories.push(RunHistory::read(&folder)?);
        }
    }
    Ok(histories)
}

/// The folder itself where it is a run, else those in it that are, by their numbers.
fn runs_in(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if RunFolder::is_run(path) {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map(|entries| {
        let entries = entries.filter_map(|entry| Some(entry.ok()?.path()));
        entries.filter(|path| RunFolder::is_run(path)).collect::<Vec<_>>()
    });
    let mut runs = entries.unwrap_or_default();
    if runs.is_empty() {
        check_is_local(path)?;
        let reason =
            if path.exists() { "the folder holds no run" } else { "there is nothing of this name" };
        let (path, reason) = (path.to_owned(), reason.to_owned());
        let error = TrainError::NoCheckpoint { path, reason };
        let hint = "name a run's folder, or the folder of runs that `train --seeds` left";
        return Err(CommandError::new(error.to_string(), hint).into());
    }
    runs.sort_by_cached_key(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let digits = name.len() - name.trim_end_matches(|last: char| last.is_ascii_digit()).len();
        let (word, number) = name.split_at(name.len() - digits);
        (word.to_owned(), number.parse::<u64>().ok(), name)
    });
    Ok(runs)
}

/// The folders' names, or their paths where two have the same.
fn names(histories: &[RunHistory]) -> Vec<String> {
    let names: Vec<String> = histories.iter().map(RunHistory::name).collect();
    let unique: BTreeSet<&String> = names.iter().collect();
    if unique.len() == names.len() {
        return names;
    }
    histories.iter().map(|history| history.path.display().to_string()).collect()
}

fn differences(histories: &[RunHistory]) -> anyhow::Result<Vec<Difference>> {
    let entries: Vec<_> = histories
        .iter()
        .map(|history| history.recipe.entries())
        .collect::<Result<_, _>>()
        .map_err(TrainError::from)?;
    let keys: BTreeSet<&String> = entries.iter().flat_map(|entries| entries.keys()).collect();
    let differences = keys.into_iter().filter_map(|key| {
        let values: Vec<_> = entries.iter().map(|entries| entries.get(key).cloned()).collect();
        let differ = values.windows(2).any(|pair| pair[0] != pair[1]);
        differ.then(|| Difference { key: key.clone(), values })
    });
    Ok(differences.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_a_folder_are_in_the_order_of_their_numbers() {
        let root = tempfile::tempdir().unwrap();
        for name in ["seed-10", "seed-9", "other", "seed-100"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
            std::fs::write(root.path().join(name).join("recipe.toml"), "").unwrap();
        }
        std::fs::create_dir(root.path().join("no-run")).unwrap();
        let runs = runs_in(root.path()).unwrap();
        let names: Vec<_> = runs.iter().map(|run| run.file_name().unwrap()).collect();
        assert_eq!(names, ["other", "seed-9", "seed-10", "seed-100"]);
        assert!(runs_in(&root.path().join("no-run")).is_err());
    }
}
