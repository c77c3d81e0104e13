//! Three channels through the whole program, on synthetic files in CIFAR-10's format.

use std::path::Path;

use serde_json::Value;

use crate::predict::encoded;
use crate::program::{metrics, nin};
use crate::workshop::words;

/// A small network of three blocks: the classes differ only in colour.
const RECIPE: &str = r#"# A small network on made-up photographs.
[model]
architecture = "colour"
initialization = "lsuv-open"
blocks = [
  { kernel = 3, padding = 1, stride = 2, widths = [8, 8, 8], pool = { kernel = 2, stride = 2 } },
  { kernel = 3, padding = 1, widths = [16, 16, "classes"] },
]
[data]
dataset = "cifar10"
input_size = 32
[optimizer]
kind = "adamw"
learning_rate = 0.02
[training]
epochs = 8
batch_size = 20
"#;

/// Ten colours, one per class. No two have the same ratio of red, green and blue.
const COLOURS: [[u8; 3]; 10] = [
    [250, 20, 20],
    [20, 250, 20],
    [20, 20, 250],
    [240, 240, 20],
    [20, 240, 240],
    [240, 20, 240],
    [20, 20, 20],
    [250, 250, 250],
    [250, 130, 20],
    [120, 20, 120],
];

/// Returns an image's planes: its class's colour with a border that varies.
pub(crate) fn planes(class: usize, variant: usize) -> Vec<u8> {
    let rim = 1 + variant % 6;
    let inside = |at: usize| (rim..32 - rim).contains(&at);
    let colour = COLOURS[class].map(|value| value.saturating_sub((variant * 7 % 20) as u8));
    let plane = |value: u8| {
        (0..1024).map(move |at| if inside(at / 32) && inside(at % 32) { value } else { 60 })
    };
    colour.into_iter().flat_map(plane).collect()
}

/// Returns the records of `count` images.
fn records(count: usize, first: usize) -> Vec<u8> {
    (first..first + count)
        .flat_map(|at| [vec![(at % 10) as u8], planes(at % 10, at / 10)].concat())
        .collect()
}

/// Writes CIFAR-10's six files into a folder, 40 images each.
pub(crate) fn write_cifar(folder: &Path) {
    for file in 1..=5 {
        let path = folder.join(format!("data_batch_{file}.bin"));
        std::fs::write(path, records(40, 40 * file)).unwrap();
    }
    std::fs::write(folder.join("test_batch.bin"), records(40, 0)).unwrap();
}

/// Writes `data/cifar-10-batches-bin` and `colour.toml` into a folder.
pub(crate) fn prepare(root: &Path) {
    let data = root.join("data/cifar-10-batches-bin");
    std::fs::create_dir_all(&data).unwrap();
    write_cifar(&data);
    std::fs::write(root.join("colour.toml"), RECIPE).unwrap();
}

pub(crate) fn train(root: &Path, run: &str, more: &str) {
    let line = format!("train --config colour.toml --data data --progress none --run {run} {more}");
    nin(root, &words(&line)).ok();
}

/// Returns an image of a class as PNG. The test set has variants 0 to 3 of each class.
pub(crate) fn png(class: usize, variant: usize) -> Vec<u8> {
    let planes = planes(class, variant);
    let image = image::RgbImage::from_fn(32, 32, |x, y| {
        let at = (y * 32 + x) as usize;
        image::Rgb([planes[at], planes[1024 + at], planes[2048 + at]])
    });
    encoded(&image.into(), image::ImageFormat::Png)
}

fn eval(root: &Path, run: &str) -> Value {
    let line = format!("eval --checkpoint {run} --data data --format json");
    nin(root, &words(&line)).json()
}

#[test]
fn colour_pictures_are_trained_on_evaluated_reported_and_predicted() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    prepare(root);
    train(root, "run", "");
    let report = eval(root, "run");
    assert_eq!((&report["images"], &report["dataset"]), (&40.into(), &"cifar10".into()));
    assert_eq!(report["per_class"][9]["class"], "truck");
    let accuracy = report["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.5, "ten colours are told apart: {accuracy}");
    let best = metrics(&root.join("run"))
        .iter()
        .filter_map(|event| event["test_accuracy"].as_f64())
        .fold(0.0, f64::max);
    assert_eq!(best, accuracy);

    // A picture with the pixels of a test image gets the same answer.
    for class in [1, 2, 7] {
        std::fs::write(root.join(format!("{class}.png")), png(class, 3)).unwrap();
    }
    let line = "predict --checkpoint run --format json --maps maps 1.png 2.png 7.png";
    let answers = nin(root, &words(line)).json();
    let logits = |at: usize| answers["images"][at]["top"][0]["logit"].as_f64().unwrap();
    assert!([0, 1, 2].map(logits).iter().all(|logit| logit.is_finite()));
    assert!(std::fs::read_dir(root.join("maps")).unwrap().count() >= 3);

    let page = std::fs::read_to_string(root.join("run/report.html")).unwrap();
    assert!(page.contains("automobile"), "the report has the network's answers");
}

#[test]
fn another_number_of_channels_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    prepare(root);
    let line = "train --config colour.toml --data data --set model.input_channels=1";
    let finished = nin(root, &words(line));
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("3 channel(s) and 10 classes"), "{}", finished.stderr);

    train(root, "run", "--set training.epochs=1");
    let line = "eval --checkpoint run --dataset fashion-mnist-sample";
    let finished = nin(root, &words(line));
    assert!(finished.stderr.contains("1 channel(s) and 10 classes"), "{}", finished.stderr);
}
