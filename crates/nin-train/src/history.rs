//! Reads a run's folder without changing it, whether the run is in progress, has ended or was killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nin_data::Part;
use serde_json::Value;

use crate::bounded::LARGEST_JSON;
use crate::bounded::read_file;
use crate::epoch_report::EpochReport;
use crate::events::{Ending, Event, TestReport, last_attempt};
use crate::metrics_log::read_log;
use crate::recipe::Recipe;
use crate::sealed::parse_json;
use crate::sentinel::{Alarm, AlarmKind};
use crate::{RunFolder, TrainError};

/// Number of classes of MNIST and Fashion-MNIST.
const KNOWN_CLASSES: usize = 10;

/// Recipe, environment and events of a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunHistory {
    /// The folder.
    pub path: PathBuf,
    /// The resolved recipe.
    pub recipe: Recipe,
    /// The content of `environment.json`; `None` if it is missing or damaged.
    pub environment: Option<Value>,
    /// The logged events, oldest first; empty if the run was killed before its first line.
    pub events: Vec<Event>,
    /// Time of the last write to the log.
    pub last_written: Option<SystemTime>,
}

impl RunHistory {
    /// Reads a run's folder. Writes nothing, so the run may be in progress.
    ///
    /// # Errors
    /// [`TrainError::NoCheckpoint`] if the folder holds no run, [`TrainError::Recipe`] if its recipe is invalid,
    /// [`TrainError::NoEvents`] if its log holds no events, [`TrainError::Damaged`], [`TrainError::Io`].
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let run = RunFolder::open(path)?;
        let metrics = run.metrics_path();
        let environment = read_file(&run.environment_path(), LARGEST_JSON).ok();
        let last_written = fs::metadata(&metrics).and_then(|metadata| metadata.modified()).ok();
        Ok(Self {
            path: path.to_owned(),
            recipe: run.recipe()?,
            environment: environment
                .and_then(|bytes| parse_json(&run.environment_path(), &bytes).ok()),
            events: if last_written.is_some() { read_log(&metrics)? } else { Vec::new() },
            last_written,
        })
    }

    /// Returns the folder's name, or its path if it has no name.
    pub fn name(&self) -> String {
        let full = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        full.file_name().unwrap_or(full.as_os_str()).to_string_lossy().into_owned()
    }

    /// Returns the events of the last attempt. Without a restart, these are all events.
    pub fn attempt(&self) -> &[Event] {
        last_attempt(&self.events)
    }

    /// Returns the seed of the last attempt. Without a restart, it is the recipe's.
    pub fn seed(&self) -> u64 {
        let restarts = self.events.iter().rev().find_map(|event| match event {
            Event::Restart { seed, .. } => Some(*seed),
            _ => None,
        });
        restarts.unwrap_or(self.recipe.training.seed)
    }

    /// Returns the number of attempts: 1, and one more for each restart by the sentinel.
    pub fn attempts(&self) -> usize {
        let restarts = self.events.iter().filter(|event| matches!(event, Event::Restart { .. }));
        1 + restarts.count()
    }

    /// Returns the alarms of the last attempt in order, including the events that end an alarm.
    pub fn alarms(&self) -> impl DoubleEndedIterator<Item = &Alarm> {
        self.attempt().iter().filter_map(|event| match event {
            Event::Alarm(alarm) => Some(alarm),
            _ => None,
        })
    }

    /// Returns the names of the classes in the last alarm about silent classes. The logit of a silent class is 0 for
    /// every image.
    pub fn silent_classes(&self) -> &[String] {
        let last = self.alarms().rev().find(|alarm| alarm.alarm == AlarmKind::SilentClasses);
        last.map_or(&[], |alarm| &alarm.classes)
    }

    /// Returns whether the network is dead: the sentinel raised that alarm, and it is not over.
    pub fn is_dead(&self) -> bool {
        let dead = self.alarms().rev().find(|alarm| alarm.alarm == AlarmKind::Dead);
        dead.is_some_and(|alarm| !alarm.over)
    }

    /// Returns whether the network is dead, or [at chance](EpochReport::is_at_chance) after the last finished epoch.
    /// A young network may be at chance and still learn. Returns `None` if no epoch is finished, or if a run of an
    /// earlier version does not record the number of classes.
    pub fn is_at_chance(&self) -> Option<bool> {
        if self.is_dead() {
            return Some(true);
        }
        let classes = self.events.iter().find_map(|event| match event {
            Event::Start { classes, .. } if *classes > 0 => Some(*classes),
            _ => None,
        });
        let known = self.recipe.data.dataset.contains("mnist").then_some(KNOWN_CLASSES);
        let classes = classes.or(known)?;
        Some(self.epochs().last()?.is_at_chance(classes))
    }

    /// Returns the finished epochs of the last attempt, in order.
    pub fn epochs(&self) -> impl DoubleEndedIterator<Item = &EpochReport> {
        self.attempt().iter().filter_map(|event| match event {
            Event::Epoch(report) => Some(report),
            _ => None,
        })
    }

    /// Returns the best epoch by `checkpoint.best_by`.
    pub fn best_epoch(&self) -> Option<&EpochReport> {
        self.epochs().rev().find(|epoch| epoch.best)
    }

    /// Returns the final test of the best checkpoint. Only a finished training with validation data has one.
    pub fn tested(&self) -> Option<TestReport> {
        self.attempt().iter().rev().find_map(|event| match event {
            Event::Tested(report) => Some(*report),
            _ => None,
        })
    }

    /// Returns the test accuracy of the run: with validation data, that of the best checkpoint, tested once at the end;
    /// otherwise that of the last epoch.
    pub fn test_accuracy(&self) -> Option<f64> {
        let last = self.epochs().last().filter(|last| last.evaluated_on == Part::Test);
        self.tested().map(|tested| tested.accuracy).or(last.map(|last| last.eval_accuracy))
    }

    /// Returns why the run ended; `None` if it is in progress or was killed.
    pub fn ending(&self) -> Option<Ending> {
        match self.events.last() {
            Some(Event::End { ending }) => Some(*ending),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn an_environment_without_end_is_none() {
        let (_root, run, _lock) = sample::run();
        std::os::unix::fs::symlink("/dev/zero", run.environment_path()).unwrap();
        assert_eq!(RunHistory::read(run.path()).unwrap().environment, None);
    }
}
