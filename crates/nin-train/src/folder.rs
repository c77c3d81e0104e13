//! A run's folder: the paths of its files, and the checks before writing them.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use nin_data::own_files::{FolderId, NotOwn, require_file, require_folder};

use crate::TrainError;
use crate::bounded::{LARGEST_JSON, read_file};
use crate::durable::{self, is_unfinished, remove_unfinished};
use crate::lock::{RunLock, lock_path};
use crate::recipe::Recipe;
use crate::sealed;

/// The run's copy of its starting weights. Its checksum is in a second file.
pub(crate) const START: &str = "start.safetensors";

/// Longest list of pictures that is read, in bytes.
const LARGEST_LIST: u64 = 4 << 30;

/// A run's folder: recipe, environment, metrics, curves, summary and checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
    claimed: Option<Claimed>,
}

/// Identities of the folders that a training writes into, taken at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Claimed {
    run: FolderId,
    checkpoints: FolderId,
}

impl RunFolder {
    /// Creates and locks the folder of a new run. Writes its resolved recipe and, if it has any, a copy of its starting
    /// weights.
    ///
    /// # Errors
    /// [`TrainError::RunExists`] or [`TrainError::NotARun`] if the folder is in use, [`TrainError::RunLocked`] if
    /// another process is creating it; [`TrainError::Io`].
    pub(crate) fn create(
        path: &Path,
        recipe: &Recipe,
        start: Option<&[u8]>,
    ) -> Result<(Self, RunLock), TrainError> {
        let mut folder = Self::at(path);
        if !path.is_dir() {
            durable::create_folders(path)?;
        }
        let mut lock = RunLock::take(&folder.path)?;
        // Checked before the first write: a folder of other files stays untouched.
        folder.refuse_used()?;
        lock.sign(&folder.path)?;
        remove_unfinished(path)?;
        if let Some(start) = start {
            // Written before the recipe: a folder with a recipe is a complete run.
            folder.write_with_sum(&folder.start_path(), start)?;
        }
        folder.write_recipe(recipe)?;
        folder.claim_folders(&lock)?;
        Ok((folder, lock))
    }

    /// Names a folder without looking at it.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), claimed: None }
    }

    /// Opens the folder of an existing run.
    ///
    /// # Errors
    /// [`TrainError::NoCheckpoint`] if the folder contains no run.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let folder = Self::at(path);
        if !folder.recipe_path().is_file() {
            return Err(TrainError::NoCheckpoint {
                path: path.to_owned(),
                reason: "the folder contains no run".to_owned(),
            });
        }
        Ok(folder)
    }

    /// Opens and locks a run to resume it. Writes nothing before [`RunFolder::claim`].
    ///
    /// # Errors
    /// Those of [`RunFolder::open`]; [`TrainError::RunLocked`] if another process trains the run;
    /// [`TrainError::Damaged`] if a link in the folder leads out of it.
    pub(crate) fn resume(path: &Path) -> Result<(Self, RunLock), TrainError> {
        let folder = Self::open(path)?;
        let lock = RunLock::take(&folder.path)?;
        folder.check_layout()?;
        Ok((folder, lock))
    }

    /// Prepares for writing: signs the lock, removes what an earlier process left unfinished, and remembers the
    /// identities of the folders.
    ///
    /// # Errors
    /// [`TrainError::RunMoved`] if another folder took its place, [`TrainError::Io`], and those of [`RunLock::sign`].
    pub(crate) fn claim(&mut self, lock: &mut RunLock) -> Result<(), TrainError> {
        let id = FolderId::of(&self.path).map_err(TrainError::io("read", &self.path))?;
        if id != lock.folder(&self.path)? {
            return Err(TrainError::RunMoved { path: self.path.clone() });
        }
        lock.sign(&self.path)?;
        self.claim_folders(lock)?;
        for parent in [&self.path, &self.checkpoints_path()] {
            remove_unfinished(parent)?;
        }
        Ok(())
    }

    /// Returns whether a training of this process writes here.
    pub(crate) fn is_claimed(&self) -> bool {
        self.claimed.is_some()
    }

    fn claim_folders(&mut self, lock: &RunLock) -> Result<(), TrainError> {
        let checkpoints = self.checkpoints_path();
        durable::create_folders(&checkpoints)?;
        self.claimed = Some(Claimed {
            run: lock.folder(&self.path)?,
            checkpoints: FolderId::of_own(&checkpoints)
                .map_err(durable::not_own("read", &checkpoints))?,
        });
        // The locked folder may have been moved since.
        self.check_place()
    }

    /// Checks before a write that the folders are still those that the training claimed. The run may have been moved
    /// and another put in its place.
    ///
    /// # Errors
    /// [`TrainError::RunMoved`] otherwise; [`TrainError::Io`].
    pub(crate) fn check_place(&self) -> Result<(), TrainError> {
        let Some(claimed) = self.claimed else { return self.check_checkpoints() };
        let run = FolderId::of(&self.path);
        let checkpoints = FolderId::of_own(&self.checkpoints_path());
        match (run, checkpoints) {
            (Ok(run), Ok(checkpoints)) if claimed == (Claimed { run, checkpoints }) => Ok(()),
            // Other errors say nothing about a move, such as a network file system that does not answer.
            (Err(error), _) | (_, Err(error)) if !is_replaced(&error) => {
                Err(TrainError::io("read", &self.path)(error))
            }
            _ => Err(TrainError::RunMoved { path: self.path.clone() }),
        }
    }

    /// Replaces one of the run's files.
    ///
    /// # Errors
    /// Those of [`durable::write_file`] and [`RunFolder::check_place`].
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
        self.check_place()?;
        durable::write_file(path, bytes)
    }

    /// Checks every path that a training writes to: no link may lead out of the run, and no folder may be in the place
    /// of a file.
    fn check_layout(&self) -> Result<(), TrainError> {
        // These are written in place.
        for path in [self.metrics_path(), self.lock_path()] {
            require_file(&path).map_err(durable::not_own("read", &path))?;
        }
        // These are replaced by a rename, which replaces a link instead of following it.
        for path in [
            self.recipe_path(),
            self.environment_path(),
            self.pictures_path(),
            sealed::sum_path(&self.pictures_path()),
            self.attempt_path(),
            self.curves_path(),
            self.summary_path(),
        ] {
            match require_file(&path) {
                Err(error) if NotOwn::of(&error) == Some(NotOwn::Folder) => {
                    return Err(durable::not_own("read", &path)(error));
                }
                _ => {}
            }
        }
        self.check_checkpoints()
    }

    /// Checks that the folder of checkpoints is not a link, which could lead to another run.
    fn check_checkpoints(&self) -> Result<(), TrainError> {
        let path = self.checkpoints_path();
        require_folder(&path).map_err(|error| match NotOwn::of(&error) {
            Some(found) => TrainError::Damaged {
                path: path.clone(),
                expected: "a folder".to_owned(),
                found: found.to_string(),
            },
            None => TrainError::io("read", &path)(error),
        })
    }

    /// Checks that a new run may start here.
    fn refuse_used(&self) -> Result<(), TrainError> {
        let path = &self.path;
        if self.recipe_path().exists() {
            return Err(TrainError::RunExists { path: path.clone() });
        }
        if !path.is_dir() {
            // Creating the folder reports anything else at this path.
            return Ok(());
        }
        let lock = self.lock_path();
        // Without `run.lock`, nothing here is a remnant of a run.
        let is_ours = lock.exists();
        let mut entries = fs::read_dir(path).map_err(TrainError::io("read", path))?;
        let start = self.start_path();
        let sum = sealed::sum_path(&start);
        let is_left = |path: &Path| is_unfinished(path) || *path == start || *path == sum;
        let is_foreign = |path: &Path| *path != lock && !(is_ours && is_left(path));
        if entries.any(|entry| entry.is_ok_and(|entry| is_foreign(&entry.path()))) {
            return Err(TrainError::NotARun { path: path.clone() });
        }
        Ok(())
    }

    /// Returns whether the folder at this path holds a run.
    pub fn is_run(path: &Path) -> bool {
        path.join("recipe.toml").is_file()
    }

    /// Returns the folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of `recipe.toml`, the resolved recipe.
    pub fn recipe_path(&self) -> PathBuf {
        self.path.join("recipe.toml")
    }

    /// Returns the path of `metrics.jsonl`, the log with one event per line.
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// Returns the path of `curves.svg`, the learning curves.
    pub fn curves_path(&self) -> PathBuf {
        self.path.join("curves.svg")
    }

    /// Returns the path of `environment.json`: program, device and data.
    pub fn environment_path(&self) -> PathBuf {
        self.path.join("environment.json")
    }

    /// Returns the path of `pictures.csv`, the list of pictures of a run on a folder of pictures.
    pub fn pictures_path(&self) -> PathBuf {
        self.path.join("pictures.csv")
    }

    /// Returns the path of `summary.json`.
    pub fn summary_path(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// Returns the path of `start.safetensors`, the run's copy of its starting weights.
    pub fn start_path(&self) -> PathBuf {
        self.path.join(START)
    }

    /// Returns the path of `checkpoints/`.
    pub fn checkpoints_path(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Returns the path of `attempt.json`, which a run has after a restart by the sentinel.
    pub(crate) fn attempt_path(&self) -> PathBuf {
        self.path.join("attempt.json")
    }

    /// Returns the path of `run.lock`, which is locked during training.
    pub fn lock_path(&self) -> PathBuf {
        lock_path(&self.path)
    }

    /// Reads the resolved recipe.
    ///
    /// # Errors
    /// [`TrainError::Damaged`] if it does not match its checksum; [`TrainError::Recipe`], [`TrainError::Io`].
    pub fn recipe(&self) -> Result<Recipe, TrainError> {
        let path = self.recipe_path();
        sealed::check_text(&path, &read_file(&path, LARGEST_JSON)?)?;
        Ok(Recipe::from_file(&path)?)
    }

    /// Reads the content of `pictures.csv`; `None` if the run has no such file.
    ///
    /// # Errors
    /// [`TrainError::Damaged`] if it does not match its checksum; [`TrainError::Io`].
    pub fn pictures(&self) -> Result<Option<Vec<u8>>, TrainError> {
        let path = self.pictures_path();
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let list = read_file(&path, LARGEST_LIST)?;
        sealed::check_beside(&path, &list)?;
        Ok(Some(list))
    }

    /// Writes `pictures.csv`, unless it already has this content.
    ///
    /// # Errors
    /// [`TrainError::RunMoved`], [`TrainError::Io`].
    pub(crate) fn write_pictures(&self, list: &[u8]) -> Result<(), TrainError> {
        if self.pictures().is_ok_and(|found| found.as_deref() == Some(list)) {
            return Ok(());
        }
        self.write_with_sum(&self.pictures_path(), list)
    }

    /// Writes a file and its checksum file. Killed in between, it leaves the file without a checksum, never with a
    /// wrong one.
    fn write_with_sum(&self, path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
        let sum = sealed::sum_path(path);
        if sum.symlink_metadata().is_ok() {
            fs::remove_file(&sum).map_err(TrainError::io("remove", &sum))?;
        }
        self.write(path, bytes)?;
        self.write(&sum, sealed::sum_line(bytes, path).as_bytes())
    }

    /// Writes the resolved recipe.
    ///
    /// # Errors
    /// [`TrainError::Recipe`], [`TrainError::RunMoved`], [`TrainError::Io`].
    pub fn write_recipe(&self, recipe: &Recipe) -> Result<(), TrainError> {
        self.write(&self.recipe_path(), sealed::text(&recipe.to_toml()?).as_bytes())
    }
}

/// Returns whether an error means that the folder is gone or something else took its place.
fn is_replaced(error: &io::Error) -> bool {
    NotOwn::of(error).is_some()
        || matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
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
        let (mut run, mut lock) = RunFolder::resume(run.path()).unwrap();
        assert!(left.exists(), "whoever only reads removes nothing");
        run.claim(&mut lock).unwrap();
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
