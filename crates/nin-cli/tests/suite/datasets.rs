//! Class names, and the parts of a data set that `train` and `eval` use.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{metrics, nin};
use crate::workshop::{Workshop, words};

/// Writes IDX files of 8x8 images with these labels. The brightness is the class.
fn write(folder: &Path, train: &[u8], test: &[u8]) {
    fs::create_dir_all(folder).unwrap();
    for (part, labels) in [("train", train), ("t10k", test)] {
        let mut images = vec![0, 0, 8, 3];
        for size in [labels.len(), 28, 28] {
            images.extend((size as u32).to_be_bytes());
        }
        for (at, &label) in labels.iter().enumerate() {
            let bright = label.wrapping_mul(60).wrapping_add(40 + (at % 7) as u8);
            images
                .extend((0..28 * 28).map(|pixel| if pixel % 5 == 0 { bright } else { bright / 2 }));
        }
        let mut content = vec![0, 0, 8, 1];
        content.extend((labels.len() as u32).to_be_bytes());
        content.extend(labels);
        fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), content).unwrap();
    }
}

/// Writes 100 images of each of three classes, sorted by class, and 30 test images.
fn write_sorted(folder: &Path) {
    let sorted = |count: usize| [vec![0; count], vec![1; count], vec![2; count]].concat();
    write(folder, &sorted(100), &sorted(10));
}

fn recipe_of_clothes(root: &Path, more: &str) -> crate::program::Finished {
    let line = format!(
        "train --config record-fashion-mnist --data data --run run --epochs 1 --backend flex \
         --set schedule.warmup_steps=0 --no-report {more}"
    );
    nin(root, &words(&line))
}

#[test]
fn class_names_come_from_the_data_not_the_recipe() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    write_sorted(&root.join("data"));
    recipe_of_clothes(root, "").ok();
    let eval = nin(root, &words("eval --checkpoint run --data data --format json")).json();
    let classes: Vec<&str> = eval["per_class"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| class["class"].as_str().unwrap())
        .collect();
    assert_eq!(classes, ["0", "1", "2"]);
    assert_eq!(eval["dataset"], "data");

    // A file of names next to the data names the classes.
    fs::write(root.join("data/classes.txt"), "dark\ndim\nbright\n").unwrap();
    fs::remove_dir_all(root.join("run")).unwrap();
    recipe_of_clothes(root, "").ok();
    let eval = nin(root, &words("eval --checkpoint run --data data --format json")).json();
    assert_eq!(eval["per_class"][2]["class"], "bright");
    fs::write(root.join("data/classes.txt"), "dark\ndim\n").unwrap();
    let refused = recipe_of_clothes(root, "--resume");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("at least 3 names"), "{}", refused.stderr);
}

#[test]
fn eval_warns_when_class_names_are_matched_by_position() {
    let root = tempfile::tempdir().unwrap();
    write_sorted(&root.path().join("digits"));
    let line = "eval --checkpoint pretrained:record-fashion-mnist --data digits --dataset mnist";
    let finished = nin(root.path(), &words(&format!("{line} --backend flex"))).ok();
    let said = &finished.stderr;
    assert!(
        said.contains("the data has no class names: classes are matched by position"),
        "{said}"
    );
    assert!(said.contains("`0`") && said.contains("`T-shirt/top`"), "{said}");
}

#[test]
fn subsets_keep_every_class_and_missing_classes_are_named() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    write_sorted(&root.join("data"));
    let train = |run: &str, more: &str| {
        let line =
            format!("train --data data --run {run} --epochs 1 --backend flex --no-report {more}");
        nin(root, &words(&line)).ok()
    };
    let recipe = |run: &str| fs::read_to_string(root.join(run).join("recipe.toml")).unwrap();
    // New runs on the user's own data are stratified.
    for (run, keys) in [("held", "--set data.held_out=100"), ("limit", "--set data.limit=60")] {
        let finished = train(run, keys);
        assert!(!finished.stderr.contains("no train images"), "{}", finished.stderr);
        assert!(recipe(run).contains("selection = \"stratified\""));
    }
    let finished = train("first", "--set data.held_out=100 --set data.selection=first");
    assert!(finished.stderr.contains("no train images of class `2`"), "{}", finished.stderr);
    assert!(finished.stderr.contains("no test images of classes `0`, `1`"), "{}", finished.stderr);
    // The embedded sample is a known data set: its runs keep their bits.
    let line = "train --run sample --epochs 1 --set data.limit=64 --backend flex --no-report";
    nin(root, &words(line)).ok();
    assert!(recipe("sample").contains("selection = \"first\""));

    // A stray label adds classes. The warning names it with its position.
    let mut labels = [0, 1, 2].repeat(20);
    labels[17] = 3 + 30;
    write(&root.join("data"), &labels, &[0, 1, 2]);
    let finished = train("stray", "");
    let said = &finished.stderr;
    assert!(
        said.contains("label 33 occurs once in the train part, first at position 17"),
        "{said}"
    );
    assert!(said.contains("no images of classes `3`, `4`"), "{said}");
}

#[test]
fn eval_and_report_use_the_images_of_the_run() {
    let workshop = Workshop::new();
    for (run, keys, images) in [
        ("limited", &["--set", "data.limit=33"][..], 33),
        ("held", &["--set", "data.held_out=45"], 45),
        ("whole", &[], 60),
    ] {
        workshop.train(run, &[&["--backend", "flex", "--epochs", "2"], keys].concat()).ok();
        let events = metrics(&workshop.path().join(run));
        assert_eq!(events[0]["test_images"], images);
        let best: Vec<Value> = events.into_iter().filter(|event| event["best"] == true).collect();
        let line = format!("eval --checkpoint {run} --data data --format json --backend flex");
        let eval = nin(workshop.path(), &words(&line)).json();
        assert_eq!(eval["images"], images, "{run}");
        assert_eq!(eval["accuracy"], best.last().unwrap()["test_accuracy"], "{run}");
        let remark = match run {
            "limited" => "data.limit = 33 as in the run".into(),
            "held" => "data.held_out = 45 as in the run".into(),
            _ => Value::Null,
        };
        assert_eq!(eval["selection"], remark);
        let whole = nin(workshop.path(), &words(&format!("{line} --whole"))).json();
        assert_eq!(whole["images"], 60);
        let report = nin(workshop.path(), &words(&format!("report {run} --data data"))).ok();
        assert!(report.stderr.contains(&format!("{images} test images")), "{}", report.stderr);
    }
}
