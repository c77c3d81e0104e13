//! The links `latest` and `best` to checkpoints. In a run that was copied with `cp -L`, each is a folder, a copy of its
//! checkpoint.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use super::{Checkpoint, MANIFEST, STATE, TrainingState, read_json};
use crate::bounded::{LARGEST_JSON, read_file};
use crate::{RunFolder, TrainError, durable};

/// The names of the links.
pub(super) const LINKS: [&str; 2] = ["best", "latest"];

/// Returns the name of the checkpoint that a link points to.
pub(super) fn linked(parent: &Path, link: &str) -> Option<OsString> {
    fs::read_link(parent.join(link)).ok()?.file_name().map(OsStr::to_owned)
}

/// Returns the name of the checkpoint that a link points to, or the link's own name if it is a copy of a checkpoint.
pub(super) fn in_place(parent: &Path, link: &str) -> Option<OsString> {
    if is_copy(&parent.join(link)) { Some(link.into()) } else { linked(parent, link) }
}

/// Returns whether a folder is in the place of a link.
fn is_copy(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// Checks that each link is a link, or a copy of a checkpoint that [`relink`] can replace.
///
/// # Errors
/// [`TrainError::Damaged`] otherwise.
pub(crate) fn check_links(run: &RunFolder) -> Result<(), TrainError> {
    LINKS.iter().try_for_each(|link| copied(run, link).map(|_| ()))
}

/// Replaces copies of checkpoints by links. A copy whose checkpoint is missing or damaged becomes that checkpoint.
///
/// # Errors
/// [`TrainError::Damaged`], [`TrainError::Io`].
pub(crate) fn relink(run: &RunFolder) -> Result<(), TrainError> {
    let parent = run.checkpoints_path();
    for link in LINKS {
        let Some(name) = copied(run, link)? else { continue };
        let (copy, path) = (parent.join(link), parent.join(&name));
        let is_there = path.symlink_metadata().is_ok();
        if is_there && (Checkpoint::read(&path).is_ok() || Checkpoint::read(&copy).is_err()) {
            durable::replace_folder_by_link(&copy, &name)?;
            continue;
        }
        if is_there {
            durable::remove_folder(&path)?;
        }
        durable::move_folder(&copy, &path)?;
        durable::write_link(&copy, &name)?;
    }
    Ok(())
}

/// Returns the name of the checkpoint that a folder in the place of a link is a copy of; `None` if there is no folder.
fn copied(run: &RunFolder, link: &str) -> Result<Option<String>, TrainError> {
    let parent = run.checkpoints_path();
    let path = parent.join(link);
    if !is_copy(&path) {
        return Ok(None);
    }
    let state = read_json::<TrainingState>(&path.join(STATE)).ok();
    let name = state.map(|state| state.folder_name());
    let manifest = |folder: &Path| read_file(&folder.join(MANIFEST), LARGEST_JSON).ok();
    let is_copy_of = |name: &String| {
        let original = parent.join(name);
        let is_gone = original.symlink_metadata().is_err();
        manifest(&path).is_some_and(|copy| is_gone || manifest(&original) == Some(copy))
    };
    name.filter(is_copy_of).map(Some).ok_or_else(|| TrainError::Damaged {
        path,
        expected: "a link to a checkpoint".to_owned(),
        found: "a folder".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::checkpoint::{best_checkpoint, newest_whole};
    use crate::lock::RunLock;
    use crate::sample;

    /// Replaces a link by a copy of its checkpoint, as `cp -L` does.
    fn copy_through(parent: &Path, link: &str) {
        let (link, aside) = (parent.join(link), parent.join("aside"));
        fs::create_dir(&aside).unwrap();
        for entry in fs::read_dir(&link).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), aside.join(entry.file_name())).unwrap();
        }
        fs::remove_file(&link).unwrap();
        fs::rename(aside, link).unwrap();
    }

    /// Creates a run with two checkpoints, the first of them the best, as copied with `cp -L`.
    fn copied_run() -> (TempDir, RunFolder, RunLock) {
        let (root, run, lock) = sample::run();
        for total_steps in [10, 20] {
            sample::write(&run, total_steps, total_steps == 10).unwrap();
        }
        for link in LINKS {
            copy_through(&run.checkpoints_path(), link);
        }
        (root, run, lock)
    }

    #[test]
    fn copies_become_links_again() {
        for is_gone in [false, true] {
            let (_root, run, _lock) = copied_run();
            let parent = run.checkpoints_path();
            if is_gone {
                fs::remove_dir_all(parent.join("epoch-001")).unwrap();
            }
            check_links(&run).unwrap();
            assert!(parent.join("best").symlink_metadata().unwrap().is_dir(), "nothing is written");
            relink(&run).unwrap();
            assert_eq!(linked(&parent, "latest"), Some("epoch-002".into()));
            assert_eq!(linked(&parent, "best"), Some("epoch-001".into()));
            assert_eq!(best_checkpoint(&run, 1).unwrap(), sample::checkpoint(10));
            assert_eq!(Checkpoint::read(&parent.join("latest")).unwrap(), sample::checkpoint(20));
            assert_eq!(fs::read_dir(&parent).unwrap().count(), 4, "nothing is left behind");
        }
    }

    #[test]
    fn a_run_goes_on_from_a_copy_whose_checkpoint_is_gone_or_damaged() {
        for is_gone in [false, true] {
            let (_root, run, _lock) = copied_run();
            let parent = run.checkpoints_path();
            for name in ["epoch-001", "epoch-002"] {
                if is_gone {
                    fs::remove_dir_all(parent.join(name)).unwrap();
                } else {
                    fs::write(parent.join(name).join("model.safetensors"), "cut").unwrap();
                }
            }
            let newest = || newest_whole(&run, 1).unwrap().checkpoint.unwrap();
            assert_eq!(newest(), sample::checkpoint(20), "before anything is written");
            assert_eq!(best_checkpoint(&run, 1).unwrap(), sample::checkpoint(10));
            relink(&run).unwrap();
            assert_eq!(newest(), sample::checkpoint(20));
            for (link, total_steps) in LINKS.into_iter().zip([10, 20]) {
                assert!(linked(&parent, link).is_some());
                let read = Checkpoint::read(&parent.join(link)).unwrap();
                assert_eq!(read, sample::checkpoint(total_steps));
            }
        }
    }

    #[test]
    fn a_folder_that_is_no_copy_is_refused_and_kept() {
        let (_root, run, _lock) = sample::run();
        sample::write(&run, 10, true).unwrap();
        let parent = run.checkpoints_path();
        copy_through(&parent, "latest");
        fs::write(parent.join("latest").join(MANIFEST), "{}").unwrap();
        for result in [check_links(&run), relink(&run)] {
            let error = result.unwrap_err().to_string();
            assert!(error.ends_with("expected a link to a checkpoint, found a folder"), "{error}");
        }
        fs::remove_file(parent.join("latest").join(STATE)).unwrap();
        check_links(&run).unwrap_err();
        assert!(parent.join("latest").join(MANIFEST).exists());
    }
}
