//! The folder of a run: which file stands where.

use std::fs;
use std::path::{Path, PathBuf};

use crate::durable::{self, UNFINISHED};
use crate::recipe::Recipe;
use crate::{TrainError, checkpoint};

/// A run's folder: recipe, environment, metrics, curves, summary and checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder of a new run, with its resolved recipe in it.
    ///
    /// # Errors
    /// [`TrainError::RunExists`] or [`TrainError::NotARun`] where something stands there already;
    /// [`TrainError::Io`].
    pub fn create(path: &Path, recipe: &Recipe) -> Result<Self, TrainError> {
        let folder = Self { path: path.to_owned() };
        if folder.recipe_path().exists() {
            return Err(TrainError::RunExists { path: path.to_owned() });
        }
        fs::create_dir_all(path).map_err(TrainError::io("create", path))?;
        let mut entries = fs::read_dir(path).map_err(TrainError::io("read", path))?;
        if entries.any(|entry| entry.is_ok_and(|entry| !is_unfinished(&entry.path()))) {
            return Err(TrainError::NotARun { path: path.to_owned() });
        }
        let checkpoints = folder.checkpoints_path();
        fs::create_dir_all(&checkpoints).map_err(TrainError::io("create", &checkpoints))?;
        folder.write_recipe(recipe)?;
        Ok(folder)
    }

    /// The folder of a run that is there.
    ///
    /// # Errors
    /// [`TrainError::NoCheckpoint`] where it holds no run.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let folder = Self { path: path.to_owned() };
        if !folder.recipe_path().is_file() {
            return Err(TrainError::NoCheckpoint {
                path: path.to_owned(),
                reason: "the folder holds no run".to_owned(),
            });
        }
        let checkpoints = folder.checkpoints_path();
        fs::create_dir_all(&checkpoints).map_err(TrainError::io("create", &checkpoints))?;
        for parent in [&folder.path, &checkpoints] {
            remove_unfinished(parent)?;
        }
        Ok(folder)
    }

    /// Whether a run stands at this path.
    pub fn is_run(path: &Path) -> bool {
        path.join("recipe.toml").is_file()
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `recipe.toml`, the resolved recipe.
    pub fn recipe_path(&self) -> PathBuf {
        self.path.join("recipe.toml")
    }

    /// `metrics.jsonl`, a line an event.
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// `curves.svg`
    pub fn curves_path(&self) -> PathBuf {
        self.path.join("curves.svg")
    }

    /// `environment.json`
    pub fn environment_path(&self) -> PathBuf {
        self.path.join("environment.json")
    }

    /// `summary.json`
    pub fn summary_path(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// `checkpoints/`
    pub fn checkpoints_path(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// The newest checkpoint, if there is one.
    pub fn latest_checkpoint(&self) -> Option<PathBuf> {
        Some(self.checkpoints_path().join("latest")).filter(|path| path.exists())
    }

    /// Writes the resolved recipe.
    ///
    /// # Errors
    /// [`TrainError::Recipe`], [`TrainError::Io`].
    pub fn write_recipe(&self, recipe: &Recipe) -> Result<(), TrainError> {
        durable::write_file(&self.recipe_path(), recipe.to_toml()?.as_bytes())
    }

    /// Removes old checkpoints but for the newest `keep`, the best and the latest; 0 keeps all.
    pub(crate) fn prune_checkpoints(&self, keep: usize) -> Result<(), TrainError> {
        if keep == 0 {
            return Ok(());
        }
        let parent = self.checkpoints_path();
        let linked = |name| fs::read_link(parent.join(name)).ok();
        let kept = [linked("best"), linked("latest")];
        let mut finished = checkpoint::list(&parent)?;
        finished.truncate(finished.len().saturating_sub(keep));
        for name in finished {
            if kept.iter().flatten().all(|target| target.as_os_str() != name.as_str()) {
                let path = parent.join(&name);
                fs::remove_dir_all(&path).map_err(TrainError::io("remove", &path))?;
            }
        }
        Ok(())
    }
}

fn is_unfinished(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED))
}

fn remove_unfinished(folder: &Path) -> Result<(), TrainError> {
    for entry in fs::read_dir(folder).map_err(TrainError::io("read", folder))? {
        let path = entry.map_err(TrainError::io("read", folder))?.path();
        if is_unfinished(&path) {
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(TrainError::io("remove", &path))?;
        }
    }
    Ok(())
}
