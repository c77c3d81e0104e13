//! Resuming runs: from damaged checkpoints, with changed settings, and after bad steps.

use std::fs;

use nin_model::ModelMetadata;

use crate::program::{Finished, command, finish, metrics, nin};
use crate::workshop::{Workshop, words};

fn resume(workshop: &Workshop, more: &[&str]) -> Finished {
    let resume = ["train", "--run", "run", "--resume", "--progress", "none", "--backend", "flex"];
    nin(workshop.path(), &[&resume[..], more].concat())
}

#[test]
fn a_damaged_latest_checkpoint_is_reported_and_the_result_is_the_same() {
    let workshop = Workshop::new();
    let options = ["--backend", "flex", "--set", "checkpoint.every_steps=4"];
    workshop.train("uncut", &options).ok();
    workshop.train("run", &[&options[..], &["--epochs", "3"]].concat()).ok();
    let model = workshop.path().join("run/checkpoints/latest/model.safetensors");
    let mut bytes = fs::read(&model).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&model, bytes).unwrap();

    let resumed = resume(&workshop, &["--data", "data", "--epochs", "4"]).ok();
    let warning = resumed.stderr.lines().find(|line| line.starts_with("warning: ")).unwrap();
    for part in [
        "`run/checkpoints/epoch-003/model.safetensors` is damaged: expected SHA-256 ",
        ", found ",
        "resuming from the checkpoint `step-00000032` instead",
    ] {
        assert!(warning.contains(part), "{warning}");
    }
    assert!(workshop.weights("uncut") == workshop.weights("run"));
    assert_eq!(workshop.figures("uncut"), workshop.figures("run"));
    let warned = metrics(&workshop.path().join("run"));
    assert!(warned.iter().any(|event| event["event"] == "warning"));
}

/// Per-layer learning rates, clipped gradients, averaged weights, and everything else that changes the
/// result.
const PARTS: &str = "--set optimizer.bias_rate=2 --set optimizer.last_layer_rate=0.1 \
                     --set optimizer.clip_norm=0.5 --set training.ema_decay=0.8 \
                     --set preprocessing.normalization=channels --set augmentation.shift=2 \
                     --set augmentation.mixup=0.4 --set augmentation.cutmix=1 \
                     --set augmentation.erase=0.5 --set training.label_smoothing=0.1 \
                     --set model.initialization=lsuv-open";

#[test]
fn every_recipe_feature_resumes_bit_exactly() {
    let workshop = Workshop::new();
    let parts = words(PARTS);
    let steps = ["--backend", "flex", "--set", "checkpoint.every_steps=4"];
    workshop.train("uncut", &[&parts[..], &steps].concat()).ok();
    let short = ["--epochs", "3", "--threads", "1", "--workers", "3"];
    workshop.train("run", &[&parts[..], &steps, &short].concat()).ok();
    // The newest remaining checkpoint is within the third epoch.
    let epoch = workshop.path().join("run/checkpoints/epoch-003");
    fs::remove_file(epoch.join("state.json")).unwrap();
    resume(&workshop, &["--data", "data", "--epochs", "4", "--workers", "0"]).ok();
    assert!(workshop.weights("uncut") == workshop.weights("run"));
    assert_eq!(workshop.figures("uncut"), workshop.figures("run"));
    let curves = |run: &str| fs::read(workshop.path().join(run).join("curves.svg")).unwrap();
    assert!(curves("uncut") == curves("run"));

    // The averaged weights are tested and saved, not the trained ones.
    let line = "eval --checkpoint uncut/checkpoints/latest --data data --format json";
    let accuracy = nin(workshop.path(), &words(line)).json()["accuracy"].clone();
    assert_eq!(accuracy, workshop.figures("uncut").last().unwrap()[2]);
    let latest = workshop.path().join("uncut/checkpoints/latest");
    let tensor = |file: &str, name: &str| {
        let bytes = fs::read(latest.join(file)).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        file.tensor(name).unwrap().data().to_vec()
    };
    let name = "blocks.0.convolution.weight";
    let trained = tensor("optimizer.safetensors", &format!("trained.{name}"));
    assert_ne!(tensor("model.safetensors", name), trained);
    // Each feature changes the result.
    let once = ["--backend", "flex", "--epochs", "1"];
    workshop.train("all", &[&parts[..], &once].concat()).ok();
    for part in parts.chunks(2) {
        let others = parts.chunks(2).filter(|other| *other != part).flatten().copied();
        workshop.train(part[1], &others.chain(once).collect::<Vec<_>>()).ok();
        assert!(workshop.weights(part[1]) != workshop.weights("all"), "{part:?}");
    }
}

#[test]
fn patience_is_kept_across_a_resume() {
    let workshop = Workshop::new();
    let patient = words("--backend flex --set training.early_stop_epochs=2");
    let most = ["--epochs", "30"];
    workshop.train("uncut", &[&patient[..], &most].concat()).ok();
    let ending = |run: &str| {
        let events = metrics(&workshop.path().join(run));
        events.last().map(|event| event["ending"].clone()).unwrap()
    };
    let figures = workshop.figures("uncut");
    assert_eq!((ending("uncut"), figures.len() < 30), ("stopped_early".into(), true));
    // Interrupted after the first of the two epochs without improvement.
    let epochs = (figures.len() - 1).to_string();
    workshop.train("run", &[&patient[..], &["--epochs", &epochs]].concat()).ok();
    assert_eq!(ending("run"), "finished");
    resume(&workshop, &[&["--data", "data"][..], &most].concat()).ok();
    assert_eq!(ending("run"), "stopped_early");
    assert_eq!(workshop.figures("run"), figures);
    assert!(workshop.weights("run") == workshop.weights("uncut"));
}

#[test]
fn resuming_with_other_kernels_is_a_warning() {
    let workshop = Workshop::new();
    let on = |kernels: &str, line: &str| {
        let mut command = command(workshop.path(), &words(line));
        command.env("NIN_CPU", kernels);
        finish(command).ok()
    };
    let train = "train --data data --backend flex --progress none --run run";
    on("portable", &format!("{train} --config small.toml --epochs 1"));
    let path = workshop.path().join("run/environment.json");
    let environment: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(environment["kernels"], "portable");
    let warning = "warning: the run started with the kernels `portable` and continues with";
    let same = on("portable", &format!("{train} --resume --epochs 2"));
    assert!(!same.stderr.contains("warning: "), "{}", same.stderr);
    let other = on("portable-wide", &format!("{train} --resume --epochs 3"));
    assert!(other.stderr.contains(&format!("{warning} `portable-wide`")), "{}", other.stderr);
}

#[test]
fn no_step_is_logged_twice() {
    let workshop = Workshop::new();
    workshop.train("run", &["--backend", "flex", "--epochs", "2"]).ok();
    // Like a process killed in the third epoch.
    let record = workshop.path().join("run/metrics.jsonl");
    let mut text = fs::read_to_string(&record).unwrap();
    text += "{\"event\":\"resume\",\"epoch\":3,\"step\":0}\n{\"event\":\"step\",\"epo";
    fs::write(&record, text).unwrap();
    resume(&workshop, &["--data", "data", "--epochs", "3"]).ok();
    let steps: Vec<_> = metrics(&workshop.path().join("run"))
        .into_iter()
        .filter(|event| event["event"] == "step")
        .map(|event| (event["epoch"].as_u64(), event["step"].as_u64()))
        .collect();
    assert!(steps.is_sorted_by(|one, next| one < next), "{steps:?}");
    assert_eq!(steps.last(), Some(&(Some(3), Some(11))));
}

#[test]
fn resuming_with_other_data_is_an_error_and_with_another_backend_a_warning() {
    let workshop = Workshop::new();
    workshop.train("run", &["--backend", "flex", "--epochs", "1"]).ok();
    let other = workshop.path().join("other");
    fs::create_dir(&other).unwrap();
    for entry in fs::read_dir(workshop.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        if path.ends_with("train-images-idx3-ubyte") {
            *bytes.last_mut().unwrap() ^= 1;
        }
        fs::write(other.join(path.file_name().unwrap()), bytes).unwrap();
    }
    let refused = resume(&workshop, &["--data", "other", "--epochs", "2"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    let error = "error: the data of the run `run` has changed: `train-images-idx3-ubyte` had";
    assert!(refused.stderr.contains(error), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: "), "{}", refused.stderr);

    let resume = ["train", "--run", "run", "--resume", "--data", "data", "--epochs", "2"];
    let told = nin(workshop.path(), &[&resume[..], &["--backend", "ndarray"]].concat()).ok();
    let warning = "warning: the run started with the backend `flex` and continues with `ndarray`";
    assert!(told.stderr.contains(warning), "{}", told.stderr);
}

#[test]
fn options_that_do_not_change_the_result_may_change_on_resume() {
    let workshop = Workshop::new();
    workshop.train("run", &["--backend", "flex", "--epochs", "1"]).ok();
    let options = [
        "--data",
        "data",
        "--epochs",
        "2",
        "--threads",
        "1",
        "--workers",
        "3",
        "--on-non-finite",
        "skip",
        "--set",
        "checkpoint.every_steps=5",
        "--set",
        "checkpoint.keep=7",
    ];
    resume(&workshop, &options).ok();
    for (change, key) in [
        (&["--epochs", "1"][..], "`training.epochs` (2, now 1)"),
        (&["--seed", "43"], "`training.seed` (42, now 43)"),
        (&["--learning-rate", "0.02"], "`optimizer.learning_rate` (0.01, now 0.02)"),
        (&["--set", "data.limit=9"], "`data.limit` (0, now 9)"),
    ] {
        let refused = resume(&workshop, &[&["--data", "data"][..], change].concat());
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
        assert!(refused.stderr.contains(key), "{}", refused.stderr);
    }
}

/// A learning rate at which the second step's loss is not finite.
const FAR_TOO_FAST: [&str; 4] =
    ["--set", "optimizer.kind=sgd", "--set", "optimizer.learning_rate=1e38"];

#[test]
fn a_non_finite_loss_stops_training_before_the_weights_change() {
    let workshop = Workshop::new();
    let options = ["--backend", "flex", "--set", "checkpoint.every_steps=1"];
    let stopped = workshop.train("run", &[&FAR_TOO_FAST[..], &options].concat());
    assert_eq!(stopped.code, Some(1), "{}", stopped.stderr);
    let error = stopped.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
    for part in [
        " in epoch 1, step 2, at learning rate 1e38, in a batch of 20 images",
        ", first in the gradient of `blocks.1.cccp2.bias`",
    ] {
        assert!(error.contains(part), "{error}");
    }
    for part in ["hint: lower `optimizer.learning_rate`", "(--learning-rate X, "] {
        assert!(stopped.stderr.contains(part), "{}", stopped.stderr);
    }
    let events = metrics(&workshop.path().join("run"));
    let bad = events.iter().find(|event| event["event"] == "non_finite").unwrap();
    assert_eq!((&bad["step"], &bad["skipped"]), (&2.into(), &false.into()));
    // The checkpoint of the previous step is complete, and its weights are finite.
    let latest = fs::read_link(workshop.path().join("run/checkpoints/latest")).unwrap();
    assert_eq!(latest.to_str(), Some("step-00000001"));
    // Loading would reject a NaN weight.
    ModelMetadata::from_safetensors(&workshop.weights("run")).unwrap();
}

#[test]
fn on_non_finite_skip_drops_bad_steps() {
    let workshop = Workshop::new();
    let options = ["--backend", "flex", "--epochs", "1", "--on-non-finite", "skip"];
    let skipped = workshop.train("run", &[&FAR_TOO_FAST[..], &options].concat()).ok();
    let events = metrics(&workshop.path().join("run"));
    let dropped: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "non_finite" && event["skipped"] == true)
        .map(|event| event["step"].as_u64().unwrap())
        .collect();
    assert_eq!(dropped, (2..=11).collect::<Vec<_>>(), "each step but the first");
    let line = "warning: the loss is not finite in epoch 1, step 11: step skipped";
    assert!(skipped.stderr.contains(line), "{}", skipped.stderr);

    // But not forever.
    let given_up = resume(&workshop, &["--data", "data", "--epochs", "50"]);
    assert_eq!(given_up.code, Some(1), "{}", given_up.stderr);
    assert!(
        given_up.stderr.contains("hint: 100 steps in a row were skipped"),
        "{}",
        given_up.stderr
    );
}
