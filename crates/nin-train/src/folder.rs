//! The folder of a run: which file stands where, and who may write it.

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

/// A run's own copy of the weights that it began with; its sum is in a file beside it.
pub(crate) const START: &str = "start.safetensors";

/// Longer lists of pictures are refused.
const LARGEST_LIST: u64 = 4 << 30;

/// A run's folder: recipe, environment, metrics, curves, summary and checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
    claimed: Option<Claimed>,
}

/// The folders that a training writes into, as they were when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Claimed {
    run: FolderId,
    checkpoints: FolderId,
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
        let mut folder = Self::at(path);
        if !path.is_dir() {
            durable::create_folders(path)?;
        }
        let mut lock = RunLock::take(&folder.path)?;
        // Nothing is put into a folder that is somebody else's.
        folder.refuse_used()?;
        lock.sign(&folder.path)?;
        remove_unfinished(path)?;
        if let Some(start) = start {
            // Before the recipe: a folder with a recipe is a run, and has all that it needs.
            folder.write_with_sum(&folder.start_path(), start)?;
        }
        folder.write_recipe(recipe)?;
        folder.claim_folders(&lock)?;
        Ok((folder, lock))
    }

    fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), claimed: None }
    }

    /// The folder of a run that is there.
    ///
    /// # Errors
    /// [`TrainError::NoCheckpoint`] where it holds no run.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let folder = Self::at(path);
        if !folder.recipe_path().is_file() {
            return Err(TrainError::NoCheckpoint {
                path: path.to_owned(),
                reason: "the folder holds no run".to_owned(),
            });
        }
        Ok(folder)
    }

    /// Opens and locks a run to go on with it. Nothing is written before [`RunFolder::claim`].
    ///
    /// # Errors
    /// As [`RunFolder::open`]; [`TrainError::RunLocked`] where another process trains it;
    /// [`TrainError::Damaged`] where something in it leads elsewhere.
    pub(crate) fn resume(path: &Path) -> Result<(Self, RunLock), TrainError> {
        let folder = Self::open(path)?;
        let lock = RunLock::take(&folder.path)?;
        folder.check_layout()?;
        Ok((folder, lock))
    }

    /// Begins to write: signs the lock, removes what an earlier process left unfinished, and remembers
    /// which folders these are.
    ///
    /// # Errors
    /// [`TrainError::Io`], and as [`RunLock::sign`].
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

    /// Whether a training writes here.
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
        // What was locked may have been moved since.
        self.check_place()
    }

    /// Checks, before a training writes, that its folders are those that it claimed. Someone may have moved
    /// the run away and put another in its place.
    ///
    /// # Errors
    /// [`TrainError::RunMoved`].
    pub(crate) fn check_place(&self) -> Result<(), TrainError> {
        let Some(claimed) = self.claimed else { return self.check_checkpoints() };
        let run = FolderId::of(&self.path);
        let checkpoints = FolderId::of_own(&self.checkpoints_path());
        match (run, checkpoints) {
            (Ok(run), Ok(checkpoints)) if claimed == (Claimed { run, checkpoints }) => Ok(()),
            // A disk that does not answer has moved nothing.
            (Err(error), _) | (_, Err(error)) if !is_replaced(&error) => {
                Err(TrainError::io("read", &self.path)(error))
            }
            _ => Err(TrainError::RunMoved { path: self.path.clone() }),
        }
    }

    /// Replaces one of the run's files.
    ///
    /// # Errors
    /// As [`durable::write_file`] and [`RunFolder::check_place`].
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
        self.check_place()?;
        durable::write_file(path, bytes)
    }

    /// Checks what a training is going to write to: nothing in the run may lead out of it, and no folder may
    /// be where a file goes.
    fn check_layout(&self) -> Result<(), TrainError> {
        // Written in place.
        for path in [self.metrics_path(), self.lock_path()] {
            require_file(&path).map_err(durable::not_own("read", &path))?;
        }
        // Replaced as a whole, with whatever links there are.
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

    /// Checks that the folder of checkpoints is none of another run's.
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
        let sum = sealed::sum_path(&start);
        let is_left = |path: &Path| is_unfinished(path) || *path == start || *path == sum;
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
        self.path.join(START)
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
        lock_path(&self.path)
    }

    /// Reads the resolved recipe.
    ///
    /// # Errors
    /// [`TrainError::Damaged`] where it is not what the run wrote; [`TrainError::Recipe`],
    /// [`TrainError::Io`].
    pub fn recipe(&self) -> Result<Recipe, TrainError> {
        let path = self.recipe_path();
        sealed::check_text(&path, &read_file(&path, LARGEST_JSON)?)?;
        Ok(Recipe::from_file(&path)?)
    }

    /// Reads the list of the pictures that the run was trained on; `None` where there is none.
    ///
    /// # Errors
    /// [`TrainError::Damaged`] where it is not what the run wrote; [`TrainError::Io`].
    pub fn pictures(&self) -> Result<Option<Vec<u8>>, TrainError> {
        let path = self.pictures_path();
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let list = read_file(&path, LARGEST_LIST)?;
        sealed::check_beside(&path, &list)?;
        Ok(Some(list))
    }

    /// Writes the list of the run's pictures.
    ///
    /// # Errors
    /// [`TrainError::Io`].
    pub(crate) fn write_pictures(&self, list: &[u8]) -> Result<(), TrainError> {
        if self.pictures().is_ok_and(|found| found.as_deref() == Some(list)) {
            return Ok(());
        }
        self.write_with_sum(&self.pictures_path(), list)
    }

    /// Writes a file and its sum beside it. Cut in between, it has no sum.
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
    /// [`TrainError::Recipe`], [`TrainError::Io`].
    pub fn write_recipe(&self, recipe: &Recipe) -> Result<(), TrainError> {
        self.write(&self.recipe_path(), sealed::text(&recipe.to_toml()?).as_bytes())
    }
}

/// Whether an error says that something else is where a folder was.
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
