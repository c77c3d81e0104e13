//! Runs of earlier versions, in `tests/fixtures`, still evaluate and resume to the same bits.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::{Finished, command, finish, nin};
use crate::workshop::copy_folder;

/// On other instruction sets, losses differ from the fixture's in the last bits.
const TOLERANCE: f64 = 1e-5;

fn fixture(run: &str) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/3c59f27").join(run);
    copy_folder(&from, &root.path().join(run));
    let path = root.path().join(run);
    (root, path)
}

/// Runs the program with the kernels that the fixtures were trained with.
fn portable(arguments: &[&str], run: &Path) -> Finished {
    let mut command = command(run.parent().unwrap(), arguments);
    command.env("NIN_CPU", "portable");
    finish(command)
}

fn weights(run: &Path) -> Vec<u8> {
    fs::read(run.join("checkpoints/epoch-004/model.safetensors")).unwrap()
}

#[test]
fn a_finished_run_of_3c59f27_still_evaluates() {
    let (_root, run) = fixture("finished");
    let found = portable(&["eval", "--checkpoint", "finished", "--format", "json"], &run).json();
    let summary: Value =
        serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap();
    let expected = &summary["last_epoch"];
    assert_eq!(found["accuracy"], expected["test_accuracy"]);
    let difference = found["loss"].as_f64().unwrap() - expected["test_loss"].as_f64().unwrap();
    assert!(difference.abs() < TOLERANCE, "{found} {expected}");
}

#[test]
fn a_finished_run_of_3c59f27_is_still_finished() {
    let (_root, run) = fixture("finished");
    let before = weights(&run);
    portable(&["train", "--resume", "--run", "finished", "--progress", "none"], &run).ok();
    assert!(weights(&run) == before);
}

#[test]
fn an_interrupted_run_of_3c59f27_resumes_to_the_same_weights() {
    let (_root, run) = fixture("cut");
    let resume = ["train", "--resume", "--run", "cut", "--progress", "none", "--backend", "flex"];
    let resumed = portable(&resume, &run).ok();
    assert!(resumed.stdout.starts_with("loss "), "{}", resumed.stdout);
    let (_other, finished) = fixture("finished");
    if is_fixture_machine(&finished) {
        assert!(weights(&run) == weights(&finished));
    } else {
        eprintln!("not compared to the bit: the fixture is of a CPU with other vectors");
    }
}

/// Returns whether Burn's own operations, which ignore `NIN_CPU`, use the fixture's instruction set here.
fn is_fixture_machine(finished: &Path) -> bool {
    let environment: Value =
        serde_json::from_slice(&fs::read(finished.join("environment.json")).unwrap()).unwrap();
    let devices = nin(finished, &["devices", "--format", "json"]).json();
    let has = |features: &Value, name: &str| {
        features.as_array().unwrap().iter().any(|feature| feature == name)
    };
    let here = &devices["cpu_features"];
    ["avx2", "avx512f"]
        .iter()
        .all(|name| has(here, name) == has(&environment["cpu_features"], name))
}
