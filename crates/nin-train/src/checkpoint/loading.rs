//! Loads weights from a run, a checkpoint or a file, possibly while a training is writing them.

use std::fs;
use std::path::{Path, PathBuf};

use nin_model::{ModelMetadata, Weights};

use super::{LARGEST_FILE, MANIFEST, MODEL, checked, read_json};
use crate::bounded::read_tensors;
use crate::folder::START;
use crate::{RunFolder, TrainError, sealed};

/// Loads the weights at a path: a run's folder (its best checkpoint, or its latest), a checkpoint's folder, or a
/// `.safetensors` file.
///
/// # Errors
/// [`TrainError::NoCheckpoint`] if the path holds none, [`TrainError::Damaged`] if a checksum does not match,
/// [`TrainError::Weights`] if the file holds no network, [`TrainError::Io`].
pub fn load_model(path: &Path) -> Result<(ModelMetadata, Weights), TrainError> {
    load_from(path, || checkpoint_folder(path))
}

/// Loads the weights of the folder that `locate` finds, or the file at `path` if it finds `None`.
///
/// A training may replace or remove a checkpoint while it is read, so a failure is followed by a second try.
fn load_from(
    path: &Path,
    locate: impl Fn() -> Result<Option<PathBuf>, TrainError>,
) -> Result<(ModelMetadata, Weights), TrainError> {
    let load = |folder: Option<PathBuf>| -> Result<(PathBuf, Vec<u8>), TrainError> {
        let Some(folder) = folder else {
            let bytes = read_tensors(path, LARGEST_FILE)?;
            if path.file_name() == Some(START.as_ref()) {
                sealed::check_beside(path, &bytes)?;
            }
            return Ok((path.to_owned(), bytes));
        };
        let manifest = read_json(&folder.join(MANIFEST))?;
        Ok((folder.join(MODEL), checked(&manifest, &folder, MODEL)?))
    };
    let found = locate()?;
    let is_folder = found.is_some();
    let (file, bytes) = match load(found) {
        Err(_) if is_folder => load(locate()?)?,
        other => other?,
    };
    ModelMetadata::from_safetensors(&bytes)
        .map_err(|source| TrainError::Weights { path: file, source })
}

/// Reads the tensors of a safetensors file from any software, under their names in the file.
///
/// # Errors
/// [`TrainError::Weights`] if it is not a safetensors file, [`TrainError::Damaged`] if it is longer than 16 GiB,
/// [`TrainError::Io`].
pub fn read_weights(path: &Path) -> Result<Weights, TrainError> {
    let (weights, _) = Weights::from_safetensors(&read_tensors(path, LARGEST_FILE)?)
        .map_err(|source| TrainError::Weights { path: path.to_owned(), source })?;
    Ok(weights)
}

/// Returns the checkpoint's folder at a path; `None` if the path is a file. Resolves links once, so that a training
/// that changes them does not matter.
fn checkpoint_folder(path: &Path) -> Result<Option<PathBuf>, TrainError> {
    let nothing = |reason: String| TrainError::NoCheckpoint { path: path.to_owned(), reason };
    let metadata = fs::metadata(path).map_err(|error| nothing(error.to_string()))?;
    if metadata.is_file() {
        return Ok(None);
    }
    if !metadata.is_dir() {
        return Err(nothing("it is neither a file nor a folder".to_owned()));
    }
    if path.join(MANIFEST).exists() {
        return Ok(Some(resolved(path)));
    }
    if !RunFolder::is_run(path) {
        return Err(nothing("the folder holds neither a run nor a checkpoint".to_owned()));
    }
    let checkpoints = path.join("checkpoints");
    ["best", "latest"]
        .map(|name| resolved(&checkpoints.join(name)))
        .into_iter()
        .find(|folder| folder.join(MANIFEST).exists())
        .map(Some)
        .ok_or_else(|| nothing("the run has not written a checkpoint yet".to_owned()))
}

/// Returns the current target of a link, or the folder itself.
fn resolved(folder: &Path) -> PathBuf {
    // Removes a trailing slash, which would hide the link.
    let folder: PathBuf = folder.components().collect();
    fs::read_link(&folder).map_or_else(|_| folder.clone(), |target| folder.with_file_name(target))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{durable, sample};

    #[test]
    fn what_a_link_led_to_is_read_whatever_it_leads_to_since() {
        let (_root, run, _lock) = sample::run();
        for total_steps in [10, 20] {
            sample::write(&run, total_steps, total_steps == 10).unwrap();
        }
        let checkpoints = run.checkpoints_path();
        let best = checkpoints.join("best");
        for path in [run.path().to_owned(), best.clone(), best.join("")] {
            durable::write_link(&best, "epoch-001").unwrap();
            let found = checkpoint_folder(&path).unwrap();
            assert_eq!(found, Some(checkpoints.join("epoch-001")));
            durable::write_link(&best, "epoch-002").unwrap();
            let (_, weights) = load_from(&path, || Ok(found.clone())).unwrap();
            assert_eq!(weights, sample::checkpoint(10).weights);
        }
    }

    #[test]
    fn a_checkpoint_that_is_gone_meanwhile_is_looked_for_once_more() {
        let (_root, run, _lock) = sample::run();
        for total_steps in [10, 20] {
            sample::write(&run, total_steps, true).unwrap();
        }
        let asked = Cell::new(0);
        let locate = || {
            asked.set(asked.get() + 1);
            let found = checkpoint_folder(run.path());
            if asked.get() == 1 {
                durable::write_link(&run.checkpoints_path().join("best"), "epoch-001").unwrap();
                durable::remove_folder(&run.checkpoints_path().join("epoch-002")).unwrap();
            }
            found
        };
        let (_, weights) = load_from(run.path(), locate).unwrap();
        assert_eq!((asked.get(), weights), (2, sample::checkpoint(10).weights));
    }
}
