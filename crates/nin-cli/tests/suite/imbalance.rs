//! Imbalanced classes: weighted loss, metrics, and the choice of the best checkpoint.

use std::path::Path;

use serde_json::Value;

use crate::program::{metrics, nin, write_shapes};
use crate::workshop::{Workshop, words};

/// Writes shapes with rare classes 1 and 2 in the training part: 100 to 5 to 5.
fn write_rare(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    write_shapes(folder, 20, 300, 60);
    let path = |kind: &str| folder.join(format!("train-{kind}-ubyte"));
    let images = std::fs::read(path("images-idx3")).unwrap();
    let labels = std::fs::read(path("labels-idx1")).unwrap();
    let kept: Vec<usize> = (0..300).filter(|at| at % 3 == 0 || *at < 15).collect();
    let count = (kept.len() as u32).to_be_bytes();
    let mut some_images = [&images[..4], &count, &images[8..16]].concat();
    let mut some_labels = [&labels[..4], &count].concat();
    for at in kept {
        some_images.extend(&images[16 + at * 400..][..400]);
        some_labels.push(labels[8 + at]);
    }
    std::fs::write(path("images-idx3"), some_images).unwrap();
    std::fs::write(path("labels-idx1"), some_labels).unwrap();
}

fn evaluated(root: &Path, run: &str) -> Value {
    let line = format!("eval --checkpoint {run} --data rare --dataset rare --format json");
    nin(root, &words(&line)).json()
}

#[test]
fn balanced_weights_find_the_rare_classes() {
    let workshop = Workshop::new();
    let root = workshop.path();
    write_rare(&root.join("rare"));
    let line = "train --config small.toml --data rare --dataset rare --backend flex --epochs 12 \
                --progress none --no-report";
    let plain = nin(root, &words(&format!("{line} --run plain"))).ok();
    let said =
        "warning: the class `0` has 100 training images, `1` has 5: set `training.class_weights";
    assert!(plain.stderr.contains(said), "{}", plain.stderr);
    let more = "--run weighted --set training.class_weights=balanced \
                --set checkpoint.best_by=balanced_accuracy";
    let weighted = nin(root, &words(&format!("{line} {more}"))).ok();
    assert!(!weighted.stderr.contains("training images, `1` has 5"), "{}", weighted.stderr);
    let [plain, weighted] = ["plain", "weighted"]
        .map(|run| evaluated(root, run)["balanced_accuracy"].as_f64().unwrap());
    assert!(weighted > plain + 0.1, "{weighted} {plain}");
    // Without weights, the rare classes are not learned.
    let more = "--run alone --set training.class_weights=[1,0,0]";
    nin(root, &words(&format!("{line} {more}"))).ok();
    let recalls = evaluated(root, "alone");
    let recall = |class: usize| recalls["per_class"][class]["recall"].as_f64();
    assert_eq!([recall(0), recall(1), recall(2)], [Some(1.0), Some(0.0), Some(0.0)]);
    // And the test metrics: 20 of 60 right.
    let figures = ["accuracy", "balanced_accuracy", "macro_f1"];
    let figures = figures.map(|key| recalls[key].as_f64().unwrap());
    let third = 20.0 / 60.0;
    assert!((figures[0] - third).abs() < 1e-15 && (figures[1] - third).abs() < 1e-15);
    assert!((figures[2] - 2.0 * 20.0 / 80.0 / 3.0).abs() < 1e-15, "{figures:?}");
    let line = "eval --checkpoint alone --data rare --dataset rare";
    let text = nin(root, &words(line)).ok().stdout;
    assert!(text.contains("balanced accuracy 0.3333, macro F1 0.1667"), "{text}");
}

#[test]
fn class_weights_list_one_weight_per_class() {
    let workshop = Workshop::new();
    let finished = workshop.train("run", &["--set", "training.class_weights=[1, 2]"]);
    assert_eq!(finished.code, Some(1));
    let said = "`training.class_weights` is `2 weights`, expected 3 weights, one for each class";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
    assert!(!workshop.path().join("run").exists());
}

#[test]
fn equal_class_weights_train_like_no_weights_up_to_rounding() {
    let workshop = Workshop::new();
    let more = ["--epochs", "1", "--backend", "flex"];
    workshop.train("none", &more).ok();
    workshop
        .train("ones", &[&more[..], &["--set", "training.class_weights=[2,2,2]"]].concat())
        .ok();
    let loss = |run: &str| workshop.figures(run)[0][0].as_f64().unwrap();
    assert!((loss("none") / loss("ones") - 1.0).abs() < 1e-3, "{} {}", loss("none"), loss("ones"));
}

#[test]
fn weighted_runs_are_bit_identical_across_threads_and_resumption() {
    let workshop = Workshop::new();
    let weighted = words(
        "--backend flex --set training.class_weights=[1,2.5,0] --set augmentation.mixup=0.2 \
         --set training.label_smoothing=0.1",
    );
    let run = |name: &str, more: &[&str]| {
        workshop.train(name, &[&weighted[..], more].concat()).ok();
    };
    run("one", &["--epochs", "2", "--threads", "1"]);
    run("two", &["--epochs", "2", "--threads", "2", "--workers", "3"]);
    run("cut", &["--epochs", "1"]);
    let resume = "train --run cut --resume --data data --epochs 2 --backend flex --progress none";
    nin(workshop.path(), &words(resume)).ok();
    for other in ["two", "cut"] {
        assert!(workshop.weights("one") == workshop.weights(other), "{other}");
    }
}

#[test]
fn the_best_checkpoint_follows_the_requested_metric() {
    let workshop = Workshop::new();
    let run = |by: &str| {
        let set = format!("checkpoint.best_by={by}");
        let more = ["--backend", "flex", "--epochs", "6", "--set", &set, "--no-report"];
        workshop.train(by, &more).ok();
        let epochs: Vec<Value> = metrics(&workshop.path().join(by))
            .into_iter()
            .filter(|event| event["event"] == "epoch")
            .collect();
        let best = std::fs::read_link(workshop.path().join(by).join("checkpoints/best")).unwrap();
        (epochs, best.to_string_lossy().into_owned())
    };
    let figure = |epoch: &Value, key: &str| epoch[key].as_f64().unwrap();
    let (epochs, best) = run("loss");
    let lowest = epochs
        .iter()
        .min_by(|one, other| figure(one, "test_loss").total_cmp(&figure(other, "test_loss")))
        .unwrap();
    assert_eq!(best, format!("epoch-{:03}", lowest["epoch"].as_u64().unwrap()));
    // Of equal accuracies, the lower loss wins.
    let (epochs, best) = run("accuracy");
    let highest = epochs
        .iter()
        .rev()
        .max_by(|one, other| {
            let accuracy = figure(one, "test_accuracy").total_cmp(&figure(other, "test_accuracy"));
            accuracy.then(figure(other, "test_loss").total_cmp(&figure(one, "test_loss")))
        })
        .unwrap();
    assert_eq!(best, format!("epoch-{:03}", highest["epoch"].as_u64().unwrap()));
    let accuracies: Vec<f64> = epochs.iter().map(|epoch| figure(epoch, "test_accuracy")).collect();
    let most = accuracies.iter().copied().fold(0.0, f64::max);
    let ties = accuracies.iter().filter(|&&accuracy| accuracy == most).count();
    assert!(ties > 1, "the rule decides here: {accuracies:?}");
}
