//! Selects the checkpoints of a run to resume from, to test, and to remove.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::links::{LINKS, in_place, linked};
use super::names::is_folder_name;
use super::{Checkpoint, Place, place_if_whole};
use crate::error::one_line;
use crate::{RunFolder, TrainError, durable};

/// The checkpoint to resume from, and the damage of newer ones.
#[derive(Debug)]
pub(crate) struct Newest {
    /// `None` if the attempt has none yet.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// A message for each damaged checkpoint.
    pub(crate) warnings: Vec<String>,
}

/// Finds the newest intact checkpoint of an attempt, starting with the one that `latest` points to or is a copy of.
/// Returns a warning for each damaged one, even if the attempt has to start over.
///
/// # Errors
/// [`TrainError::NoWholeCheckpoint`] if every checkpoint is damaged.
pub(crate) fn newest_whole(run: &RunFolder, attempt: usize) -> Result<Newest, TrainError> {
    let parent = run.checkpoints_path();
    let mut names = newest_first(&parent)?;
    if let Some(latest) = in_place(&parent, "latest") {
        names.retain(|name| *name != latest);
        names.insert(0, latest);
    }
    names.extend(in_place(&parent, "best").filter(|name| name == "best"));
    let (mut damaged, mut is_void) = (Vec::new(), false);
    for name in names {
        match Checkpoint::read(&parent.join(&name)) {
            Ok(checkpoint) if checkpoint.state.attempt < attempt => is_void = true,
            Ok(checkpoint) => {
                let warn = |error: &TrainError| {
                    let name = name.display();
                    format!("{}; resuming from the checkpoint `{name}` instead", one_line(error))
                };
                let warnings = damaged.iter().map(warn).collect();
                return Ok(Newest { checkpoint: Some(checkpoint), warnings });
            }
            Err(error) => damaged.push(error),
        }
    }
    if is_void || damaged.is_empty() {
        let warn =
            |error: &TrainError| format!("{}; attempt {attempt} starts over", one_line(error));
        return Ok(Newest { checkpoint: None, warnings: damaged.iter().map(warn).collect() });
    }
    let source = Box::new(damaged.swap_remove(0));
    Err(TrainError::NoWholeCheckpoint { path: run.path().to_owned(), source })
}

/// Returns the best checkpoint of an attempt, or its newest intact one if the best is damaged or was not saved.
///
/// # Errors
/// [`TrainError::NoWholeCheckpoint`] if every checkpoint is damaged, [`TrainError::NoCheckpoint`] if there is none.
pub(crate) fn best_checkpoint(run: &RunFolder, attempt: usize) -> Result<Checkpoint, TrainError> {
    let parent = run.checkpoints_path();
    if let Some(name) = in_place(&parent, "best")
        && let Ok(best) = Checkpoint::read(&parent.join(name))
        && best.state.attempt >= attempt
    {
        return Ok(best);
    }
    newest_whole(run, attempt)?.checkpoint.ok_or_else(|| TrainError::NoCheckpoint {
        path: run.path().to_owned(),
        reason: "the run has not written a checkpoint yet".to_owned(),
    })
}

/// Removes the checkpoints of earlier attempts and the links to them. Removes nothing before this attempt has a
/// checkpoint.
pub(crate) fn clear_earlier(run: &RunFolder, attempt: usize) -> Result<(), TrainError> {
    let parent = run.checkpoints_path();
    let places = placed(&parent)?;
    let is_of_this = |place: &Option<Place>| place.is_some_and(|place| place.attempt >= attempt);
    if !places.iter().any(|(place, _)| is_of_this(place)) {
        return Ok(());
    }
    run.check_place()?;
    let earlier: Vec<_> = places
        .into_iter()
        .filter(|(place, _)| place.is_some_and(|place| place.attempt < attempt))
        .map(|(_, name)| name)
        .collect();
    for link in LINKS {
        if linked(&parent, link).is_some_and(|name| earlier.contains(&name)) {
            let link = parent.join(link);
            fs::remove_file(&link).map_err(TrainError::io("remove", &link))?;
        }
    }
    earlier.iter().try_for_each(|name| durable::remove_folder(&parent.join(name)))
}

/// Removes all checkpoints except for the newest `keep` intact ones, the best and the latest.
///
/// Damaged ones do not count, so the only intact one stays, no matter how many damaged ones are newer.
pub(crate) fn prune(run: &RunFolder, keep: usize) -> Result<(), TrainError> {
    run.check_place()?;
    let parent = run.checkpoints_path();
    let kept = LINKS.map(|link| linked(&parent, link));
    let mut whole = 0;
    for name in newest_first(&parent)? {
        let path = parent.join(&name);
        if whole >= keep && !kept.iter().flatten().any(|kept| *kept == name) {
            durable::remove_folder(&path)?;
        } else if place_if_whole(&path).is_some() {
            whole += 1;
        }
    }
    Ok(())
}

/// Returns the names of the checkpoints, newest first. Damaged ones, whose steps are unknown, come last.
fn newest_first(parent: &Path) -> Result<Vec<OsString>, TrainError> {
    Ok(placed(parent)?.into_iter().rev().map(|(_, name)| name).collect())
}

/// Returns the progress and the names of the checkpoints, oldest first. Damaged ones come first.
fn placed(parent: &Path) -> Result<Vec<(Option<Place>, OsString)>, TrainError> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(parent) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(TrainError::io("read", parent))?,
    };
    for entry in entries {
        let entry = entry.map_err(TrainError::io("read", parent))?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let name = entry.file_name();
        if is_folder && is_folder_name(&name.to_string_lossy()) {
            found.push((place_if_whole(&entry.path()), name));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;
    use crate::sample;

    /// Flips a byte in the middle of a checkpoint's file.
    fn damage(run: &RunFolder, name: &str, file: &str) {
        let path = run.checkpoints_path().join(name).join(file);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }

    fn cut_short(run: &RunFolder, name: &str) {
        let path = run.checkpoints_path().join(name).join("optimizer.safetensors");
        OpenOptions::new().write(true).open(path).unwrap().set_len(7).unwrap();
    }

    fn write_of_attempt(run: &RunFolder, attempt: usize, total_steps: usize) {
        let mut checkpoint = sample::checkpoint(total_steps);
        checkpoint.state.attempt = attempt;
        checkpoint.write(run, false).unwrap();
    }

    fn names(run: &RunFolder) -> Vec<OsString> {
        newest_first(&run.checkpoints_path()).unwrap()
    }

    #[test]
    fn a_damaged_latest_falls_back_to_the_one_before_and_says_what_is_wrong() {
        for file in ["model.safetensors", "optimizer.safetensors", "state.json"] {
            let (_root, run, _lock) = sample::run();
            for total_steps in [10, 15, 20] {
                sample::write(&run, total_steps, false).unwrap();
            }
            damage(&run, "epoch-002", file);
            let Newest { checkpoint, warnings } = newest_whole(&run, 1).unwrap();
            assert_eq!(checkpoint.unwrap(), sample::checkpoint(15));
            assert_eq!(warnings.len(), 1);
            for part in [
                &format!("epoch-002/{file}` is damaged: expected SHA-256 "),
                ", found ",
                "; resuming from the checkpoint `step-00000015` instead",
            ] {
                assert!(warnings[0].contains(part), "{}", warnings[0]);
            }
        }
    }

    #[test]
    fn damage_of_any_kind_is_fallen_back_from() {
        let (_root, run, _lock) = sample::run();
        for total_steps in [5, 10, 15, 20, 30] {
            sample::write(&run, total_steps, false).unwrap();
        }
        let parent = run.checkpoints_path();
        fs::remove_file(parent.join("epoch-003/manifest.json")).unwrap();
        cut_short(&run, "epoch-002");
        fs::write(parent.join("step-00000015/manifest.json"), "{\"format\": 1").unwrap();
        fs::remove_file(parent.join("epoch-001/state.json")).unwrap();
        let Newest { checkpoint, warnings } = newest_whole(&run, 1).unwrap();
        assert_eq!(checkpoint.unwrap(), sample::checkpoint(5));
        assert!(warnings[0].contains("epoch-003"), "the latest is named first: {warnings:?}");
        assert!(warnings.iter().all(|warning| warning.contains("step-00000005")), "{warnings:?}");
    }

    #[test]
    fn a_link_to_nothing_or_none_is_no_reason_to_begin_again() {
        let (_root, run, _lock) = sample::run();
        sample::write(&run, 10, false).unwrap();
        fs::remove_file(run.checkpoints_path().join("latest")).unwrap();
        assert_eq!(newest_whole(&run, 1).unwrap().checkpoint.unwrap(), sample::checkpoint(10));
        durable::write_link(&run.checkpoints_path().join("latest"), "epoch-007").unwrap();
        assert_eq!(newest_whole(&run, 1).unwrap().checkpoint.unwrap(), sample::checkpoint(10));
        // A link must not lead out of the run.
        durable::write_link(&run.checkpoints_path().join("latest"), "../../..").unwrap();
        assert_eq!(newest_whole(&run, 1).unwrap().checkpoint.unwrap(), sample::checkpoint(10));
    }

    #[test]
    fn where_none_is_whole_the_newest_is_named() {
        let (_root, run, _lock) = sample::run();
        assert!(newest_whole(&run, 1).unwrap().checkpoint.is_none());
        for total_steps in [5, 10] {
            sample::write(&run, total_steps, true).unwrap();
        }
        damage(&run, "step-00000005", "state.json");
        damage(&run, "epoch-001", "model.safetensors");
        let error = newest_whole(&run, 1).unwrap_err();
        let line = one_line(&error);
        assert!(line.contains("epoch-001/model.safetensors` is damaged: expected"), "{line}");
        assert!(error.hint().contains("a new run"));
    }

    #[test]
    fn the_newest_the_best_and_the_latest_are_kept() {
        let (_root, run, _lock) = sample::run();
        for total_steps in [5, 10, 15, 20, 25] {
            sample::write(&run, total_steps, total_steps == 10).unwrap();
        }
        prune(&run, 2).unwrap();
        assert_eq!(names(&run), ["step-00000025", "epoch-002", "epoch-001"]);
        durable::write_link(&run.checkpoints_path().join("latest"), "epoch-002").unwrap();
        prune(&run, 1).unwrap();
        assert_eq!(names(&run), ["step-00000025", "epoch-002", "epoch-001"]);
    }

    #[test]
    fn the_only_whole_one_is_kept_however_many_damaged_ones_are_newer() {
        let (_root, run, _lock) = sample::run();
        for total_steps in [5, 15, 25, 35] {
            sample::write(&run, total_steps, false).unwrap();
        }
        for name in ["step-00000015", "step-00000025", "step-00000035"] {
            cut_short(&run, name);
        }
        prune(&run, 1).unwrap();
        assert!(names(&run).contains(&"step-00000005".into()), "{:?}", names(&run));
        assert_eq!(newest_whole(&run, 1).unwrap().checkpoint.unwrap(), sample::checkpoint(5));
    }

    #[test]
    fn folders_of_the_user_are_neither_pruned_nor_cleared() {
        let (_root, run, _lock) = sample::run();
        let theirs = ["epoch-001-backup", "epoch-best", "step-7", "step-notes"];
        for name in theirs {
            fs::create_dir(run.checkpoints_path().join(name)).unwrap();
        }
        for total_steps in [5, 10, 15] {
            sample::write(&run, total_steps, false).unwrap();
        }
        prune(&run, 1).unwrap();
        assert_eq!(names(&run), ["step-00000015"]);
        write_of_attempt(&run, 2, 5);
        clear_earlier(&run, 2).unwrap();
        let mut left: Vec<_> = fs::read_dir(run.checkpoints_path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, [&theirs[..2], &["latest", "step-00000005"], &theirs[2..]].concat());
    }

    #[test]
    fn checkpoints_of_an_attempt_that_was_given_up_are_void_and_go() {
        let (_root, run, _lock) = sample::run();
        for total_steps in [5, 10] {
            sample::write(&run, total_steps, true).unwrap();
        }
        let Newest { checkpoint, warnings } = newest_whole(&run, 2).unwrap();
        assert_eq!((checkpoint, warnings.len()), (None, 0));
        // They stay until the next attempt has a checkpoint, and rank below it.
        clear_earlier(&run, 2).unwrap();
        assert_eq!(names(&run), ["epoch-001", "step-00000005"]);
        write_of_attempt(&run, 2, 3);
        assert_eq!(names(&run)[0], "step-00000003");
        assert_eq!(best_checkpoint(&run, 2).unwrap().state.total_steps, 3);
        clear_earlier(&run, 2).unwrap();
        assert_eq!(names(&run), ["step-00000003"]);
        let links = LINKS.map(|link| linked(&run.checkpoints_path(), link));
        assert_eq!(links, [None, Some("step-00000003".into())]);
    }
}
