//! Reading a run's folder without touching it, whether the run goes on, ended or was cut.

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

/// Classes of MNIST and Fashion-MNIST.
const KNOWN_CLASSES: usize = 10;

/// What a run's folder says.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunHistory {
    /// The folder.
    pub path: PathBuf,
    /// Its resolved recipe.
    pub recipe: Recipe,
    /// `environment.json`, where it is there and whole.
    pub environment: Option<Value>,
    /// Everything that was logged, oldest first; nothing where the run was cut before its first
    /// line.
    pub events: Vec<Event>,
    /// When something was last logged.
    pub last_written: Option<SystemTime>,
}

impl RunHistory {
    /// Reads a run's folder; writes nothing, so that a run may go on meanwhile.
    ///
    /// # Errors
    /// [`TrainError::NoCheckpoint`] where it holds no run, [`TrainError::Recipe`] where its recipe
    /// is not one, [`TrainError::NoEvents`] where its log is another file, [`TrainError::Damaged`],
    /// [`TrainError::Io`].
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

    /// The folder's name, or its path where it has none.
    pub fn name(&self) -> String {
        let full = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        full.file_name().unwrap_or(full.as_os_str()).to_string_lossy().into_owned()
    }

    /// The events of the last attempt: all, where the sentinel never began the run again.
    pub fn attempt(&self) -> &[Event] {
        last_attempt(&self.events)
    }

    /// The seed that the weights come from: the recipe's, unless the run began again.
    pub fn seed(&self) -> u64 {
        let restarts = self.events.iter().rev().find_map(|event| match event {
            Event::Restart { seed, .. } => Some(*seed),
            _ => None,
        });
        restarts.unwrap_or(self.recipe.training.seed)
    }

    /// Attempts that were begun; more than 1 where the sentinel began the run again.
    pub fn attempts(&self) -> usize {
        let restarts = self.events.iter().filter(|event| matches!(event, Event::Restart { .. }));
        1 + restarts.count()
    }

    /// Every alarm of the last attempt, in order; those that are over as well.
    pub fn alarms(&self) -> impl DoubleEndedIterator<Item = &Alarm> {
        self.attempt().iter().filter_map(|event| match event {
            Event::Alarm(alarm) => Some(alarm),
            _ => None,
        })
    }

    /// The classes that were silent when the sentinel last named them: 0 for every image.
    pub fn silent_classes(&self) -> &[String] {
        let last = self.alarms().rev().find(|alarm| alarm.alarm == AlarmKind::SilentClasses);
        last.map_or(&[], |alarm| &alarm.classes)
    }

    /// Whether the sentinel called the network dead, and that is not over: it learns nothing more.
    pub fn is_dead(&self) -> bool {
        let dead = self.alarms().rev().find(|alarm| alarm.alarm == AlarmKind::Dead);
        dead.is_some_and(|alarm| !alarm.over)
    }

    /// Whether the network is dead, or [at chance](EpochReport::is_at_chance) after the last finished
    /// epoch, as a young one may be that still learns. `None` where no epoch is finished, or where a
    /// run of old does not say how many classes there are.
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

    /// Every finished epoch of the last attempt, in order.
    pub fn epochs(&self) -> impl DoubleEndedIterator<Item = &EpochReport> {
        self.attempt().iter().filter_map(|event| match event {
            Event::Epoch(report) => Some(report),
            _ => None,
        })
    }

    /// The best epoch, by the figure that `checkpoint.best_by` names.
    pub fn best_epoch(&self) -> Option<&EpochReport> {
        self.epochs().rev().find(|epoch| epoch.best)
    }

    /// The test of the best checkpoint, where validation data chose it and the training has ended.
    pub fn tested(&self) -> Option<TestReport> {
        self.attempt().iter().rev().find_map(|event| match event {
            Event::Tested(report) => Some(*report),
            _ => None,
        })
    }

    /// The accuracy on test images that the run stands for: of its best checkpoint, tested once, where
    /// validation data chose it; else after the last epoch.
    pub fn test_accuracy(&self) -> Option<f64> {
        let last = self.epochs().last().filter(|last| last.evaluated_on == Part::Test);
        self.tested().map(|tested| tested.accuracy).or(last.map(|last| last.eval_accuracy))
    }

    /// Why the run ended; `None` where it goes on, or was cut off without a word.
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
