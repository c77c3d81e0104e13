//! The folder of a search: `search.toml` with its plan, a run folder per training, `search.json` and `found.toml`.

use std::path::{Path, PathBuf};

use nin_train::RunFolder;
use nin_train::recipe::Recipe;
use serde::{Deserialize, Serialize};

use super::candidate::Candidate;
use crate::series;

/// The content of `search.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The values of the trials after the first, which is the recipe itself.
    pub candidates: Vec<Candidate>,
    /// The recipe that the search starts from.
    pub recipe: Recipe,
}

/// The folder of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchFolder {
    path: PathBuf,
}

impl SearchFolder {
    /// Returns whether a path is such a folder.
    pub fn is_one(path: &Path) -> bool {
        plan_path(path).is_file()
    }

    /// Prepares a new folder. Writes nothing before [`SearchFolder::write`].
    pub fn new(path: &Path) -> anyhow::Result<Self> {
        series::check_unused(path, Self::is_one(path))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Opens an existing folder and returns its plan.
    pub fn open(path: &Path) -> anyhow::Result<(Self, Plan)> {
        let plan = series::read_plan(&plan_path(path), "find")?;
        Ok((Self { path: path.to_owned() }, plan))
    }

    /// Writes `search.toml` and creates the folder if necessary.
    pub fn write(&self, plan: &Plan) -> anyhow::Result<()> {
        series::write_plan(&plan_path(&self.path), plan)
    }

    /// Returns the run folder of a trial's training.
    pub fn run(&self, trial: usize, epochs: usize) -> PathBuf {
        self.path.join(format!("trial-{trial}-epochs-{epochs}"))
    }

    /// Returns the existing runs.
    pub fn runs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().filter_map(Result::ok);
        let mut runs: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| RunFolder::is_run(path)).collect();
        runs.sort();
        runs
    }

    /// Returns the path of `found.toml`, the recipe that the search found.
    pub fn found_path(&self) -> PathBuf {
        self.path.join("found.toml")
    }

    /// Returns the path of `search.json`, the results so far.
    pub fn results_path(&self) -> PathBuf {
        self.path.join("search.json")
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn plan_path(folder: &Path) -> PathBuf {
    folder.join("search.toml")
}
