//! `export --to lesson`: the training in the page is that of `train`.

use std::fs;
use std::path::Path;
use std::process::Command;

use nin_model::{ModelMetadata, Weights};
use serde_json::{Value, json};

use super::node::has_node;
use crate::program::{command, finish, metrics, nin};
use crate::workshop::words;

/// Training images of the comparison: 20 steps an epoch.
const IMAGES: usize = 640;
/// Its steps, and the epochs that they make.
const STEPS: usize = 200;
const EPOCHS: usize = 10;
/// Largest difference of a weight after these steps of plain SGD. Functions such as `exp` round differently on each platform,
/// and each step amplifies that.
const TOLERANCE: f32 = 1e-4;
/// Largest difference of the accuracy after as many steps of the page's own recipe. The first steps of `AdamW` divide each
/// gradient by its size, so that the last bit of a small one decides its sign, and the weights part.
const ACCURACY_TOLERANCE: f64 = 0.05;

/// Trains in node. Returns what the script prints.
fn trained(root: &Path, settings: &Value) -> Value {
    let mut node = Command::new("node");
    node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/web/lesson.mjs"))
        .args(["lesson.html", &STEPS.to_string(), &IMAGES.to_string(), "lesson.safetensors"])
        .arg(settings.to_string())
        .current_dir(root);
    serde_json::from_str(&finish(node).ok().stdout).unwrap()
}

/// Trains by the program, with the kernels whose sums are those of WebAssembly. Returns the run's last test accuracy.
fn trained_natively(root: &Path, run: &str, sets: &str) -> f64 {
    let line = format!(
        "train --backend flex --set augmentation.flip=false --set data.limit={IMAGES} --epochs {EPOCHS} {sets} --run {run} \
         --progress none"
    );
    let mut program = command(root, &words(&line));
    program.env("NIN_CPU", "portable-narrow");
    finish(program).ok();
    let events = metrics(&root.join(run));
    events.iter().rev().find_map(|event| event["test_accuracy"].as_f64()).unwrap()
}

fn weights(path: &Path) -> (ModelMetadata, Weights) {
    ModelMetadata::from_safetensors(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_lesson_trains_as_the_program_does() {
    if !has_node() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    nin(root, &words("export --to lesson --output lesson.html")).ok();

    let sgd = json!({ "epochs": EPOCHS, "optimizer": { "kind": "sgd", "learning_rate": 0.01 } });
    trained(root, &sgd);
    let sets = "--set optimizer.kind=sgd --set optimizer.learning_rate=0.01 --set optimizer.weight_decay=0";
    trained_natively(root, "sgd", sets);
    let (metadata, found) = weights(&root.join("lesson.safetensors"));
    let (_, expected) = weights(&root.join("sgd/checkpoints/latest/model.safetensors"));
    assert_eq!(metadata.classes[9], "Ankle boot");
    assert_eq!(found.iter().count(), 18);
    for ((name, tensor), (_, expected)) in found.iter().zip(expected.iter()) {
        let pairs = tensor.values.iter().zip(&expected.values);
        let off = pairs.map(|(value, expected)| (value - expected).abs()).fold(0.0, f32::max);
        assert!(off <= TOLERANCE, "{name} is off by {off}");
    }

    let page = trained(root, &json!({ "epochs": EPOCHS }));
    let accuracy = page["score"]["accuracy"].as_f64().unwrap();
    let expected = trained_natively(root, "adamw", "");
    assert!((accuracy - expected).abs() <= ACCURACY_TOLERANCE, "{accuracy} and {expected}");
    // `eval` opens the downloaded file, and finds the accuracy that the page shows.
    let eval = nin(root, &words("eval --checkpoint lesson.safetensors --format json")).json();
    assert_eq!(eval["accuracy"].as_f64(), Some(accuracy));
}

#[test]
fn a_lesson_takes_no_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let line =
        "export --checkpoint pretrained:record-fashion-mnist --to lesson --output lesson.html";
    let finished = nin(root.path(), &words(line));
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains("a lesson takes no checkpoint"), "{}", finished.stderr);
    let finished = nin(root.path(), &words("export --to web --output page.html"));
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("--checkpoint"), "{}", finished.stderr);
}
