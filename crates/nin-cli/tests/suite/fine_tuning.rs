//! `train --weights`: fine-tuning.

use std::path::Path;

use nin_model::{ModelMetadata, Weights};

use crate::program::{metrics, nin, write_shapes};
use crate::workshop::{Workshop, words};

/// Reads a run's initial weights, which a tiny learning rate leaves unchanged.
fn read(path: &Path) -> (ModelMetadata, Weights) {
    ModelMetadata::from_safetensors(&std::fs::read(path).unwrap()).unwrap()
}

fn best(root: &Path, run: &str) -> (ModelMetadata, Weights) {
    read(&root.join(run).join("checkpoints/latest/model.safetensors"))
}

/// Trains one epoch in which no step changes the weights.
const STILL: &str = "--backend flex --epochs 1 --progress none --set optimizer.learning_rate=1e-30";

#[test]
fn fine_tuning_starts_from_the_checkpoint_and_uses_its_network() {
    let workshop = Workshop::new();
    let root = workshop.path();
    let first = "--set preprocessing.normalization=channels --epochs 2";
    workshop.train("first", &words(first)).ok();
    std::fs::create_dir(root.join("other")).unwrap();
    write_shapes(&root.join("other"), 24, 90, 30);
    // The same three class names, images of another size, no recipe.
    let line = format!("train --weights first --data other --dataset other --run tuned {STILL}");
    let finished = nin(root, &words(&line)).ok();
    for part in ["weights loaded: blocks.0.convolution, ", "initialized anew: none", "unused: none"]
    {
        assert!(finished.stderr.contains(part), "{part}: {}", finished.stderr);
    }
    let (theirs, ours) = (best(root, "first"), best(root, "tuned"));
    assert_eq!(ours.0.architecture, theirs.0.architecture);
    assert_eq!(ours.0.preprocessing, theirs.0.preprocessing, "fitted values and size come along");
    assert_eq!(ours.1, theirs.1);
    let recipe = std::fs::read_to_string(root.join("tuned/recipe.toml")).unwrap();
    for part in
        ["weights = \"first\"", "input_size = 20", "normalization = \"weights\"", "kernel = 3"]
    {
        assert!(recipe.contains(part), "{part}: {recipe}");
    }
    let events = metrics(&root.join("tuned"));
    let loaded = events.iter().find(|event| event["event"] == "loaded").unwrap();
    assert_eq!(loaded["loaded"].as_array().unwrap().len(), 6);
}

#[test]
fn classes_are_matched_by_name() {
    let workshop = Workshop::new();
    let root = workshop.path();
    workshop.train("first", &words("--epochs 1")).ok();
    // The network of three classes becomes one of ten, of which 0 to 2 are known.
    let tuned = format!("--weights first --run tuned --set model.classes=10 {STILL}");
    let line = format!("train --config small.toml --data data {tuned}");
    let finished = nin(root, &words(&line)).ok();
    let said = "initialized anew: blocks.1.cccp2, except for the classes 0, 1, 2";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
    let scratch = format!("--run scratch --set model.classes=10 {STILL}");
    nin(root, &words(&format!("train --config small.toml --data data {scratch}"))).ok();
    let [theirs, ours, scratch] = ["first", "tuned", "scratch"].map(|run| best(root, run).1);
    for (name, tensor) in ours.iter() {
        let (old, new) = (&theirs.get(name).unwrap().values, &scratch.get(name).unwrap().values);
        if name.starts_with("blocks.1.cccp2") {
            let kept = old.len();
            assert_eq!(tensor.values[..kept], old[..], "{name}");
            // New biases are 0, so the smallest step changes them.
            let is_near = |(one, other): (&f32, &f32)| (one - other).abs() < 1e-20;
            assert!(tensor.values[kept..].iter().zip(&new[kept..]).all(is_near), "{name}");
        } else {
            assert_eq!(&tensor.values, old, "{name}");
        }
    }
}

#[test]
fn frozen_blocks_keep_their_bits_and_the_others_train() {
    let workshop = Workshop::new();
    let root = workshop.path();
    workshop.train("first", &words("--epochs 1")).ok();
    for more in ["", "--set training.ema_decay=0.9", "--set optimizer.kind=sgd"] {
        let run = format!("tuned{}", more.len());
        let line = format!(
            "train --config small.toml --data data --weights first --run {run} --epochs 1 \
             --progress none --set model.freeze_blocks=1 --set optimizer.weight_decay=0.1 \
             --set optimizer.bias_rate=2 --set optimizer.clip_norm=1 {more}"
        );
        nin(root, &words(&line)).ok();
        let (before, after) = (best(root, "first").1, best(root, &run).1);
        for (name, tensor) in before.iter() {
            let is_same = after.get(name) == Some(tensor);
            assert_eq!(is_same, name.starts_with("blocks.0."), "{more}: {name}");
        }
    }
    let line = "train --config small.toml --data data --run all --set model.freeze_blocks=2";
    let finished = nin(root, &words(line));
    assert_eq!(finished.code, Some(1));
    let said = "`model.freeze_blocks` is `2`, expected less than the number of blocks, 2";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
}

#[test]
fn a_fine_tuned_run_resumes_without_its_starting_checkpoint() {
    let workshop = Workshop::new();
    let root = workshop.path();
    let first = "--epochs 1 --set preprocessing.normalization=channels";
    workshop.train("first", &words(first)).ok();
    let tuned = "train --data data --dataset shapes --weights first --backend flex --progress none \
                 --set model.freeze_blocks=1 --set model.initialization=lsuv-open --no-report \
                 --set schedule.kind=constant";
    let run = |name: &str, epochs: u32| {
        nin(root, &words(&format!("{tuned} --run {name} --epochs {epochs}"))).ok();
    };
    run("whole", 3);
    run("cut", 1);
    // Like a run that was killed before its first checkpoint.
    run("young", 1);
    std::fs::remove_dir_all(root.join("young/checkpoints")).unwrap();
    std::fs::remove_dir_all(root.join("first")).unwrap();
    for name in ["cut", "young"] {
        let line = format!(
            "train --run {name} --resume --data data --epochs 3 --backend flex --progress none"
        );
        nin(root, &words(&line)).ok();
        assert!(workshop.weights("whole") == workshop.weights(name), "{name}");
    }
    let line = "train --run cut --resume --data data --weights cut --backend flex";
    let finished = nin(root, &words(line));
    assert_eq!(finished.code, Some(1));
    let said = "`model.weights` (\"first\", now \"cut\")";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
}

#[test]
fn several_seeds_start_from_the_same_weights() {
    let workshop = Workshop::new();
    let root = workshop.path();
    workshop.train("first", &words("--epochs 1")).ok();
    let line = "train --data data --dataset shapes --weights first --backend flex --epochs 1 \
                --progress none --run many --no-report --seeds";
    nin(root, &[&words(line)[..], &["1,"]].concat()).ok();
    std::fs::remove_dir_all(root.join("first")).unwrap();
    let more = "train --run many --resume --seeds 2 --data data --backend flex --progress none";
    nin(root, &words(more)).ok();
    let copy = |seed: u32| std::fs::read(root.join(format!("many/seed-{seed}/start.safetensors")));
    assert_eq!(copy(1).unwrap(), copy(2).unwrap());
}

#[test]
fn a_grey_network_learns_colour_and_mismatches_fail_before_the_run_folder_exists() {
    let workshop = Workshop::new();
    let root = workshop.path();
    workshop.train("first", &words("--epochs 1")).ok();
    let cases = [
        ("--weights nowhere", "no checkpoint at `nowhere`", Some(1)),
        ("--weights pretrained:nothing", "no embedded network has this name", Some(2)),
        (
            "--set model.weights=pretrained:nothing",
            "`model.weights` is `pretrained:nothing`",
            Some(1),
        ),
        (
            "--config d2l-fashion-mnist-96 --weights first",
            "tensor `blocks.0.convolution.weight` of the starting weights has shape \
             [8, 1, 3, 3], the recipe's network has [96, 1, 11, 11]",
            Some(1),
        ),
        (
            "--set preprocessing.normalization=weights",
            "expected `none`, `channels` or `contrast` without model.weights",
            Some(1),
        ),
    ];
    for (more, expected, code) in cases {
        let finished = nin(root, &words(&format!("train --data data --run new {more}")));
        assert_eq!(finished.code, code, "{more}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{more}: {}", finished.stderr);
        assert!(!root.join("new").exists(), "{more}");
    }
}
