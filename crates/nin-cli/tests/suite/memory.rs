//! A small checkpoint cannot exhaust the memory: `eval`, `predict`, `serve` and `report` stay within a
//! budget, or report what they would need.
//!
//! `ulimit -v` counts addresses. Threads and allocators reserve some hundred megabytes more than they use.

use std::fs;
use std::path::Path;
use std::process::Command;

use nin_model::{
    Architecture, Block, Initialization, ModelMetadata, Precision, Preprocessing, Width,
};
use serde_json::Value;

use crate::odd_pictures::write_network;
use crate::program::{Finished, finish, isolate, write_shapes};
use crate::workshop::{train_small, words};

/// A batch may take 2 GiB; the program, its threads and its input get as much again.
const LIMIT_KIB: u64 = 4 << 20;
/// The largest input side of a checkpoint.
const SIDE: usize = 4096;

/// Returns the program under a memory limit, at which a larger allocation aborts.
pub(crate) fn limited(folder: &Path, limit_kib: u64, line: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_nin-cli");
    command.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", &limit_kib.to_string(), program]);
    command.args(line);
    isolate(&mut command, folder);
    command
}

fn nin_limited(folder: &Path, line: &str) -> Finished {
    finish(limited(folder, LIMIT_KIB, &words(line)))
}

/// Writes a checkpoint of a few kilobytes for images of 4096x4096, whose layers have this many channels.
fn write_greedy(path: &Path, channels: usize, classes: usize) {
    let block = Block {
        kernel: 11,
        stride: 4,
        padding: 0,
        widths: [channels, channels, classes].map(Width::Channels),
        pool: None,
        dropout: 0.0,
    };
    let architecture = Architecture::new("greedy", 1, classes, vec![block]).unwrap();
    let weights = Initialization::Kaiming.weights(&architecture, 1);
    let metadata = ModelMetadata {
        architecture,
        classes: (0..classes).map(|class| class.to_string()).collect(),
        dataset: "shapes".to_owned(),
        preprocessing: Preprocessing::resized([SIDE, SIDE]),
        precision: Precision::Fp32,
    };
    fs::write(path, metadata.to_safetensors(&weights).unwrap()).unwrap();
    assert!(fs::metadata(path).unwrap().len() < 1 << 20);
}

#[test]
fn a_batch_of_large_images_shrinks() {
    let root = tempfile::tempdir().unwrap();
    write_greedy(&root.path().join("greedy.safetensors"), 2, 3);
    fs::create_dir(root.path().join("data")).unwrap();
    // Fewer than a batch, but more than fit in memory.
    write_shapes(&root.path().join("data"), 20, 3, 24);
    let evaluated = nin_limited(
        root.path(),
        "eval --checkpoint greedy.safetensors --data data --backend flex --threads 2 --format json",
    );
    assert!(evaluated.stderr.contains("note: batch size reduced to "), "{}", evaluated.stderr);
    assert_eq!(evaluated.json()["images"], 24);

    let picture = crate::serve::square();
    let names: Vec<String> = (0..12).map(|number| format!("{number}.png")).collect();
    for name in &names {
        fs::write(root.path().join(name), &picture).unwrap();
    }
    let line = format!(
        "predict --checkpoint greedy.safetensors --backend flex --threads 2 --format jsonl {}",
        names.join(" ")
    );
    let predicted = nin_limited(root.path(), &line).ok();
    assert_eq!(predicted.stdout.lines().count(), 12);
}

#[test]
fn an_image_that_exceeds_the_budget_is_rejected_with_both_sizes() {
    let root = tempfile::tempdir().unwrap();
    write_network(&root.path().join("huge.safetensors"), 3, None, "photos");
    let file = root.path().join("huge.safetensors");
    let (mut metadata, weights) =
        ModelMetadata::from_safetensors(&fs::read(&file).unwrap()).unwrap();
    metadata.preprocessing = Preprocessing::resized([SIDE, SIDE]);
    fs::write(&file, metadata.to_safetensors(&weights).unwrap()).unwrap();
    fs::write(root.path().join("a.png"), crate::serve::square()).unwrap();
    fs::create_dir(root.path().join("data")).unwrap();
    write_shapes(&root.path().join("data"), 20, 3, 3);
    for line in [
        "eval --checkpoint huge.safetensors --data data --backend flex",
        "predict --checkpoint huge.safetensors a.png --backend flex",
        "serve --checkpoint huge.safetensors --addr 127.0.0.1:0 --backend flex",
    ] {
        let finished = nin_limited(root.path(), line);
        assert_eq!(finished.code, Some(1), "{line}: {}", finished.stderr);
        let refusal = "error: an image of 3x4096x4096 takes ";
        assert!(finished.stderr.contains(refusal), "{line}: {}", finished.stderr);
        assert!(
            finished.stderr.contains("a batch may take 2.0 GiB"),
            "{line}: {}",
            finished.stderr
        );
        assert!(finished.stderr.contains("hint: "), "{line}: {}", finished.stderr);
    }
}

#[test]
fn a_report_of_such_a_run_says_why_it_lacks_test_results() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    // The checkpoint of a run that needs too much memory, with its checksums.
    let folder = fs::canonicalize(root.path().join("run/checkpoints/best")).unwrap();
    let file = folder.join("model.safetensors");
    let (mut metadata, weights) =
        ModelMetadata::from_safetensors(&fs::read(&file).unwrap()).unwrap();
    metadata.preprocessing = Preprocessing::resized([SIDE, SIDE]);
    let bytes = metadata.to_safetensors(&weights).unwrap();
    fs::write(&file, &bytes).unwrap();
    let manifest = folder.join("manifest.json");
    let mut sums: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    sums["files"]["model.safetensors"]["bytes"] = bytes.len().into();
    sums["files"]["model.safetensors"]["sha256"] = nin_data::sha256(&bytes).into();
    fs::write(&manifest, sums.to_string()).unwrap();
    let reported =
        nin_limited(root.path(), "report run --data data --backend flex --threads 2").ok();
    assert!(
        reported.stderr.contains("the report lacks the test results: an image of"),
        "{}",
        reported.stderr
    );
}

#[test]
fn a_confusion_matrix_of_too_many_classes_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("classes.safetensors");
    let block = Block {
        kernel: 1,
        stride: 1,
        padding: 0,
        widths: [1, 1, 65_536].map(Width::Channels),
        pool: None,
        dropout: 0.0,
    };
    let architecture = Architecture::new("many", 1, 65_536, vec![block]).unwrap();
    let weights = Initialization::Kaiming.weights(&architecture, 1);
    let metadata = ModelMetadata {
        architecture,
        classes: (0..65_536).map(|class| class.to_string()).collect(),
        dataset: "shapes".to_owned(),
        preprocessing: Preprocessing::resized([20, 20]),
        precision: Precision::Fp32,
    };
    fs::write(&path, metadata.to_safetensors(&weights).unwrap()).unwrap();
    fs::create_dir(root.path().join("data")).unwrap();
    write_shapes(&root.path().join("data"), 20, 3, 3);
    let line = "eval --checkpoint classes.safetensors --data data --backend flex";
    let finished = nin_limited(root.path(), line);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let refusal = "a confusion matrix of 65536 classes takes 32.0 GiB";
    assert!(finished.stderr.contains(refusal), "{}", finished.stderr);
}
