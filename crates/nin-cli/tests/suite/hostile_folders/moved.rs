//! A run folder that changes during training: its lock removed, the folder moved or replaced.

use std::fs;
use std::os::unix::fs::symlink;

use super::planted::{contents, nin};
use crate::signals::Running;
use crate::workshop::copy_folder;
use crate::workshop::{Workshop, words};

const ENDLESS: &str = "--config small.toml --data data --run run --epochs 100000 --set checkpoint.every_steps=2 --set \
     checkpoint.keep=1";

#[test]
fn only_one_process_trains_a_run_whose_lock_file_was_removed() {
    let workshop = Workshop::new();
    let mut running = Running::start(&workshop, &words(ENDLESS));
    running.wait_for(r#""event":"checkpoint""#);
    fs::remove_file(workshop.path().join("run/run.lock")).unwrap();
    for line in ["train --run run --resume --data data", "train --run run --data data"] {
        let second = nin(workshop.path(), &words(line));
        assert_eq!(second.code, Some(1), "{}", second.stderr);
        let error = "error: the run `run` is being trained by another process";
        assert!(second.stderr.contains(error), "{}", second.stderr);
    }
    running.signal("-TERM");
    let finished = running.finish();
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    // Each line of its log is complete.
    crate::program::metrics(&workshop.path().join("run"));
}

#[test]
fn nothing_is_written_to_a_folder_that_replaces_the_run() {
    let workshop = Workshop::new();
    let root = workshop.path();
    let train = "--backend flex --epochs 2 --set checkpoint.keep=0";
    workshop.train("other", &words(train)).ok();
    let before = contents(&root.join("other"));
    // The whole run or only its checkpoints, replaced by another folder or a link to one.
    for (place, by_link) in [("run", false), ("run", true), ("run/checkpoints", true)] {
        let mut running = Running::start(&workshop, &words(ENDLESS));
        running.wait_for(r#""event":"checkpoint""#);
        let theirs = root.join(place.replace("run", "other"));
        let place = root.join(place);
        fs::rename(&place, root.join("aside")).unwrap();
        if by_link {
            symlink(&theirs, &place).unwrap();
        } else {
            copy_folder(&theirs, &place);
        }
        let finished = running.finish();
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        for part in [
            "error: `run` is no longer the folder that this training started in",
            "hint: it was moved, replaced or removed",
        ] {
            assert!(finished.stderr.contains(part), "{}", finished.stderr);
        }
        assert_eq!(contents(&root.join("other")), before, "{place:?}");
        if by_link {
            fs::remove_file(&place).unwrap();
        } else {
            let copied = contents(&place).into_values().collect::<Vec<_>>();
            assert_eq!(copied, before.values().cloned().collect::<Vec<_>>());
            fs::remove_dir_all(&place).unwrap();
        }
        // Moved back, it resumes.
        fs::rename(root.join("aside"), &place).unwrap();
        let running = Running::start(&workshop, &words("--run run --resume --data data"));
        running.signal("-TERM");
        assert_eq!(running.finish().code, Some(130));
        fs::remove_dir_all(root.join("run")).unwrap();
    }
}
