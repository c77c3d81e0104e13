//! Copies of runs: by hard links, with links resolved, and of versions without checksums.

use std::fs;
use std::path::Path;
use std::process::Command;

use nin_data::sha256;
use serde_json::Value;

use super::planted::{contents, nin};
use crate::program::metrics;
use crate::workshop::{Workshop, words};

const TRAIN: &str = "--backend flex --set checkpoint.keep=1";

fn resume(root: &Path, run: &str) -> crate::program::Finished {
    let line = format!("train --run {run} --resume --data data --epochs 3 {TRAIN}");
    nin(root, &words(&line))
}

/// Trains a run of two epochs, and the same run with three.
fn trained() -> Workshop {
    let workshop = Workshop::new();
    let options = words(TRAIN);
    for (run, epochs) in [("run", "2"), ("uncut", "3")] {
        workshop.train(run, &[&options[..], &["--epochs", epochs]].concat()).ok();
    }
    workshop
}

#[test]
fn resuming_does_not_change_a_hard_linked_backup() {
    let workshop = trained();
    let root = workshop.path();
    let linked = Command::new("cp").args(["-al", "run", "backup"]).current_dir(root).status();
    assert!(linked.unwrap().success());
    let before = contents(&root.join("backup"));
    resume(root, "run").ok();
    assert_eq!(contents(&root.join("backup")), before);
    assert!(workshop.weights("run") == workshop.weights("uncut"));
    // Each resumes on its own, with its own log.
    resume(root, "backup").ok();
    assert!(workshop.weights("backup") == workshop.weights("uncut"));
    assert_eq!(workshop.figures("backup"), workshop.figures("run"));
}

#[test]
fn a_copy_with_resolved_links_resumes() {
    let workshop = trained();
    let root = workshop.path();
    let copied = Command::new("cp").args(["-rL", "run", "copy"]).current_dir(root).status();
    assert!(copied.unwrap().success());
    let checkpoints = root.join("copy/checkpoints");
    assert!(checkpoints.join("latest").symlink_metadata().unwrap().is_dir());
    resume(root, "copy").ok();
    for link in ["best", "latest"] {
        assert!(checkpoints.join(link).symlink_metadata().unwrap().is_symlink(), "{link}");
    }
    assert!(workshop.weights("copy") == workshop.weights("uncut"));
    assert_eq!(workshop.figures("copy"), workshop.figures("uncut"));
    assert_eq!(fs::read_link(checkpoints.join("latest")).unwrap(), Path::new("epoch-003"));
}

#[test]
fn a_run_of_an_earlier_version_resumes_and_gets_checksums() {
    let workshop = trained();
    let root = workshop.path();
    let recipe = root.join("run/recipe.toml");
    let environment = root.join("run/environment.json");
    let text = fs::read_to_string(&recipe).unwrap();
    let old: Vec<&str> = text.lines().filter(|line| !line.starts_with("# SHA-256")).collect();
    assert_eq!(old.len() + 1, text.lines().count());
    fs::write(&recipe, old.join("\n") + "\n").unwrap();
    let mut json: Value = serde_json::from_slice(&fs::read(&environment).unwrap()).unwrap();
    assert!(json.as_object_mut().unwrap().remove("sha256").is_some());
    fs::write(&environment, json.to_string()).unwrap();
    forget_the_logs_sum(&root.join("run/checkpoints/latest"));
    let resumed = resume(root, "run").ok();
    assert!(!resumed.stderr.contains("warning"), "{}", resumed.stderr);
    assert!(workshop.weights("run") == workshop.weights("uncut"));
    assert!(fs::read_to_string(&recipe).unwrap().contains("# SHA-256 of the lines above: "));
    assert!(fs::read_to_string(&environment).unwrap().contains("\"sha256\""));
}

/// Converts a checkpoint to a version whose `state.json` has no checksum of the log.
fn forget_the_logs_sum(checkpoint: &Path) {
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(checkpoint.join(name)).unwrap()).unwrap()
    };
    let (mut state, mut manifest) = (read("state.json"), read("manifest.json"));
    assert!(state.as_object_mut().unwrap().remove("metrics_sha256").is_some());
    let state = state.to_string();
    manifest["files"]["state.json"]["bytes"] = state.len().into();
    manifest["files"]["state.json"]["sha256"] = sha256(state.as_bytes()).into();
    fs::write(checkpoint.join("state.json"), state).unwrap();
    fs::write(checkpoint.join("manifest.json"), manifest.to_string()).unwrap();
}

/// Returns the program under a file size limit, in blocks of 512 bytes as in the shell's `ulimit -f`.
fn limited(root: &Path, blocks: u32, line: &str) -> crate::program::Finished {
    let mut command = Command::new("sh");
    let limit = format!("ulimit -f {blocks} && exec \"$0\" \"$@\"");
    command.args(["-c", &limit, env!("CARGO_BIN_EXE_nin-cli")]).args(words(line));
    crate::program::isolate(&mut command, root);
    crate::program::finish(command)
}

#[test]
fn a_file_size_limit_is_reported_as_an_error() {
    let workshop = trained();
    let root = workshop.path();
    let before = contents(&root.join("run"));
    for (line, file) in [
        ("report run --data data --backend flex", "report.html"),
        ("export --checkpoint run --to onnx --output run.onnx", "run.onnx"),
    ] {
        let finished = limited(root, 1, line);
        assert_eq!(finished.code, Some(1), "{line}: {}", finished.stderr);
        for part in [file, "File too large", "\nhint: raise the file size limit", "ulimit -f"] {
            assert!(finished.stderr.contains(part), "{line}: {}", finished.stderr);
        }
    }
    assert_eq!(contents(&root.join("run")), before);
    assert!(!root.join("run.onnx").exists());

    // Training continues, as on a full disk, and reports at the end that it is not saved.
    let line = format!("train --run run --resume --data data --epochs 3 {TRAIN}");
    let started = std::time::Instant::now();
    let finished = limited(root, 8, &line);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let error = "error: the last state of the run `run` could not be saved";
    for part in [error, "File too large", "hint: raise the file size limit"] {
        assert!(finished.stderr.contains(part), "{}", finished.stderr);
    }
    println!("it ended after {:?}", started.elapsed());
    resume(root, "run").ok();
    assert!(workshop.weights("run") == workshop.weights("uncut"));
    assert_eq!(metrics(&root.join("run")).last().unwrap()["ending"], "finished");
}
