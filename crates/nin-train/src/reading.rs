//! Reading a run's folder without touching it, whether the run goes on, ended or was cut.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use crate::events::{Ending, EpochReport, Event};
use crate::recipe::Recipe;
use crate::record::read_events;
use crate::{RunFolder, TrainError};

/// What a run's folder says.
#[derive(Debug, Clone)]
pub struct RunRecord {
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

impl RunRecord {
    /// Reads a run's folder; writes nothing, so that a run may go on meanwhile.
    ///
    /// # Errors
    /// [`TrainError::NoCheckpoint`] where it holds no run, [`TrainError::Recipe`] where its recipe
    /// is not one, [`TrainError::Io`].
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let run = RunFolder::open(path)?;
        let metrics = run.metrics_path();
        let environment = fs::read(run.environment_path()).ok();
        let last_written = fs::metadata(&metrics).and_then(|metadata| metadata.modified()).ok();
        Ok(Self {
            path: path.to_owned(),
            recipe: Recipe::from_file(&run.recipe_path())?,
            environment: environment.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
            events: if last_written.is_some() { read_events(&metrics)? } else { Vec::new() },
            last_written,
        })
    }

    /// The folder's name, or its path where it has none.
    pub fn name(&self) -> String {
        let full = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        full.file_name().unwrap_or(full.as_os_str()).to_string_lossy().into_owned()
    }

    /// Every finished epoch, in order.
    pub fn epochs(&self) -> impl DoubleEndedIterator<Item = &EpochReport> {
        self.events.iter().filter_map(|event| match event {
            Event::Epoch(report) => Some(report),
            _ => None,
        })
    }

    /// The epoch with the best test accuracy, the first of equals.
    pub fn best_epoch(&self) -> Option<&EpochReport> {
        self.epochs().rev().max_by(|one, other| one.test_accuracy.total_cmp(&other.test_accuracy))
    }

    /// Why the run ended; `None` where it goes on, or was cut off without a word.
    pub fn ending(&self) -> Option<Ending> {
        match self.events.last() {
            Some(Event::End { ending }) => Some(*ending),
            _ => None,
        }
    }
}
