//! The folder of a run: which file stands where.

use std::fs;
use std::path::{Path, PathBuf};

use crate::TrainError;
use crate::durable::{self, is_unfinished, remove_unfinished};
use crate::lock::RunLock;
use crate::recipe::Recipe;

/// A run's folder: recipe, environment, metrics, curves, summary and checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder of a new run, with its resolved recipe in it and, where it begins with the weights
    /// of another network, its own copy of them; and locks it.
    ///
    /// # Errors
    /// [`TrainError::RunExists`] or [`TrainError::NotARun`] where something stands there already,
    /// [`TrainError::RunLocked`] where another process is about to make it; [`TrainError::Io`].
    pub(crate) fn create(
        path: &Path,
        recipe: &Recipe,
        start: Option<&[u8]>,
    ) -> Result<(Self, RunLock), TrainError> {
        let folder = Self { path: path.to_owned() };
        if !folder.lock_path().exists() {
            // Nothing is put into a folder that is somebody else's.
            folder.refuse_used()?;
        }
        durable::create_folders(path)?;
        let lock = RunLock::take(&folder)?;
        folder.refuse_used()?;
        remove_unfinished(path)?;
        if let Some(start) = start {
            // Before the recipe: a folder with a recipe is a run, and has all that it needs.
            durable::write_file(&folder.start_path(), start)?;
        }
        folder.write_recipe(recipe)?;
        folder.make_checkpoints()?;
        Ok((folder, lock))
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
        Ok(folder)
    }

    /// Opens a run to go on with it: locked, and cleaned of what an earlier process left
    /// unfinished.
    ///
    /// # Errors
    /// As [`RunFolder::open`], and [`TrainError::RunLocked`] where another process trains it.
    pub(crate) fn resume(path: &Path) -> Result<(Self, RunLock), TrainError> {
        let folder = Self::open(path)?;
        let lock = RunLock::take(&folder)?;
        folder.make_checkpoints()?;
        for parent in [&folder.path, &folder.checkpoints_path()] {
            remove_unfinished(parent)?;
        }
        Ok((folder, lock))
    }

    fn make_checkpoints(&self) -> Result<(), TrainError> {
        durable::create_folders(&self.checkpoints_path())
    }

    /// That a new run may begin here.
    fn refuse_used(&self) -> Result<(), TrainError> {
        let path = &self.path;
        if self.recipe_path().exists() {
            return Err(TrainError::RunExists { path: path.clone() });
        }
        if !path.is_dir() {
            // What else may stand there is found out by whoever makes it.
            return Ok(());
        }
        let lock = self.lock_path();
        // Without a lock nothing here was begun by this program.
        let is_ours = lock.exists();
        let mut entries = fs::read_dir(path).map_err(TrainError::io("read", path))?;
        let start = self.start_path();
        let is_left = |path: &Path| is_unfinished(path) || *path == start;
        let is_foreign = |path: &Path| *path != lock && !(is_ours && is_left(path));
        if entries.any(|entry| entry.is_ok_and(|entry| is_foreign(&entry.path()))) {
            return Err(TrainError::NotARun { path: path.clone() });
        }
        Ok(())
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

    /// `pictures.csv`, the list of what it was trained on, where that is pictures.
    pub fn pictures_path(&self) -> PathBuf {
        self.path.join("pictures.csv")
    }

    /// `summary.json`
    pub fn summary_path(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// `start.safetensors`, the run's own copy of the weights that it began with, if it did.
    pub fn start_path(&self) -> PathBuf {
        self.path.join("start.safetensors")
    }

    /// `checkpoints/`
    pub fn checkpoints_path(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// `attempt.json`, where the sentinel began the run again.
    pub(crate) fn attempt_path(&self) -> PathBuf {
        self.path.join("attempt.json")
    }

    /// `run.lock`, locked while the run is trained.
    pub fn lock_path(&self) -> PathBuf {
        self.path.join("run.lock")
    }

    /// Writes the resolved recipe.
    ///
    /// # Errors
    /// [`TrainError::Recipe`], [`TrainError::Io`].
    pub fn write_recipe(&self, recipe: &Recipe) -> Result<(), TrainError> {
        durable::write_file(&self.recipe_path(), recipe.to_toml()?.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::sample;

    #[test]
    fn what_a_cut_write_left_is_removed_at_the_next_start() {
        let (root, run, lock) = sample::run();
        drop(lock);
        let left = run.checkpoints_path().join(".unfinished-abc");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("model.safetensors"), b"half").unwrap();
        fs::write(run.path().join(".unfinished-def"), b"half").unwrap();
        fs::write(root.path().join("precious"), b"of the user").unwrap();
        symlink(root.path(), run.path().join(".unfinished-link")).unwrap();
        RunFolder::open(run.path()).unwrap();
        assert!(left.exists(), "whoever only reads removes nothing");
        drop(RunFolder::resume(run.path()).unwrap());
        let mut names: Vec<_> =
            fs::read_dir(run.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["checkpoints", "recipe.toml", "run.lock"]);
        assert_eq!(fs::read_dir(run.checkpoints_path()).unwrap().count(), 0);
        assert!(root.path().join("precious").exists(), "a link is not followed");
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.txt"), b"").unwrap();
        let error = RunFolder::create(root.path(), &sample::recipe(), None).unwrap_err();
        assert!(matches!(error, TrainError::NotARun { .. }), "{error}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_called_unfinished_is_ours_only_beside_a_lock() {
        let root = tempfile::tempdir().unwrap();
        let theirs = root.path().join(".unfinished-thesis");
        fs::write(&theirs, b"of the user").unwrap();
        let error = RunFolder::create(root.path(), &sample::recipe(), None).unwrap_err();
        assert!(matches!(error, TrainError::NotARun { .. }), "{error}");
        assert!(theirs.exists());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is put beside it");
    }

    #[test]
    fn a_run_that_was_cut_before_it_had_a_recipe_begins_again() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("run.lock"), b"1\n").unwrap();
        fs::write(root.path().join(".unfinished-recipe"), b"[mod").unwrap();
        RunFolder::create(root.path(), &sample::recipe(), None).unwrap();
    }
}
