//! The page's script in node, without a browser: its answers are those of `predict`.

use std::fs;
use std::path::Path;
use std::process::Command;

use image::{DynamicImage, GrayImage, ImageFormat};
use nin_data::{DataSet, FASHION_MNIST_SAMPLE, Locations};
use nin_model::{
    Architecture, Builtin, Fit, Initialization, ModelMetadata, Precision, Preprocessing, Whitening,
};
use nin_testing::Need;
use serde_json::Value;

use crate::odd_pictures::{Expected, rows, write_network};
use crate::predict::encoded;
use crate::program::{command, finish, nin};
use crate::workshop::words;

/// Compared test images.
const PICTURES: usize = 200;
/// Those of them that `predict` also gets one at a time.
const SINGLE: usize = 10;
/// The kernels whose products and sums are those of WebAssembly: four lanes, without fused multiply-add.
const SAME_ORDER: &str = "portable-narrow";
/// Tolerance of logits up to 44, six units in the last place: other kernels fuse multiplication and addition, and for a
/// batch, `predict` uses Winograd's algorithm, which for a single image costs more than it saves.
const TOLERANCE: f64 = 2e-5;
/// Tolerance of the logits of an untrained network, which are up to a hundred times as large.
const UNTRAINED_TOLERANCE: f64 = 1e-4;
/// Tolerance of a map's values relative to that of their mean, the logit: they are several times as large, and their errors
/// do not cancel.
const MAP_FACTOR: f64 = 40.0;
/// The largest page of the embedded network, in bytes.
const LARGEST_PAGE: u64 = 5_000_000;
/// How much memory may grow over a thousand pictures, in bytes: gaps between allocations.
const MOST_GROWTH: u64 = 1 << 20;

/// Exports a network as `page.html`. Returns the page's path.
fn export(root: &Path, checkpoint: &str) -> String {
    let line = format!("export --checkpoint {checkpoint} --to web --output page.html");
    nin(root, &words(&line)).ok();
    root.join("page.html").display().to_string()
}

/// Returns whether node is at hand. Prints what is skipped if it is missing and not required.
pub(super) fn has_node() -> bool {
    let has_node = Command::new("node").arg("--version").output().is_ok();
    if !has_node {
        Need::Node.skip("there is no node");
    }
    has_node
}

/// Returns the lines of JSON that the script prints. Returns `None` if node is missing.
fn in_node(arguments: &[&str]) -> Option<Vec<Value>> {
    if !has_node() {
        return None;
    }
    let mut node = Command::new("node");
    node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/web/node.mjs"));
    node.args(arguments);
    let printed = finish(node).ok().stdout;
    Some(printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Returns the `images` of `predict` with these kernels; the fastest ones if `kernels` is empty.
fn predicted(root: &Path, checkpoint: &str, kernels: &str, paths: &[&str]) -> Vec<Value> {
    let line = [
        "predict",
        "--checkpoint",
        checkpoint,
        "--backend",
        "flex",
        "--top",
        "10",
        "--format",
        "json",
    ];
    let mut program = command(root, &[&line[..], paths].concat());
    program.env("NIN_CPU", kernels);
    // It exits with 1 if it refuses a picture.
    let answers: Value = serde_json::from_str(&finish(program).stdout).unwrap();
    answers["images"].as_array().unwrap().clone()
}

/// Asserts that two answers are the same, except that logits may differ by `tolerance`.
fn assert_close(answer: &Value, expected: &Value, tolerance: f64) {
    let path = &expected["path"];
    for key in ["path", "size", "inverted", "class"] {
        assert_eq!(answer[key], expected[key], "{key} of {path}");
    }
    // JavaScript prints 3.0 as 3.
    for key in ["first", "step", "field"] {
        let geometry = [answer, expected].map(|image| image["map_geometry"][key].as_f64());
        assert_eq!(geometry[0], geometry[1], "{key} of {path}");
    }
    let entries = |image: &Value, key: &str| image[key].as_array().unwrap().clone();
    let of_class = |list: &[Value], class: &Value| {
        list.iter().find(|entry| entry["class"] == *class).unwrap().clone()
    };
    // Classes whose logits are nearly equal may be in another order.
    let (top, maps) = (entries(answer, "top"), entries(answer, "maps"));
    assert_eq!(top.len(), entries(expected, "top").len());
    for entry in entries(expected, "top") {
        let logits = [&of_class(&top, &entry["class"]), &entry]
            .map(|entry| entry["logit"].as_f64().unwrap());
        assert!((logits[0] - logits[1]).abs() <= tolerance, "{path}: {logits:?}");
    }
    for map in entries(expected, "maps") {
        let maps = [&of_class(&maps, &map["class"]), &map].map(values);
        assert_eq!(maps[0].len(), maps[1].len());
        for (value, expected) in maps[0].iter().zip(&maps[1]) {
            let off = (value - expected).abs();
            assert!(off <= MAP_FACTOR * tolerance, "{path}: a map is off by {off}");
        }
    }
}

fn values(map: &Value) -> Vec<f64> {
    let rows = map["values"].as_array().unwrap().iter();
    rows.flat_map(|row| row.as_array().unwrap()).map(|value| value.as_f64().unwrap()).collect()
}

/// Writes test images of Fashion-MNIST as PNG. Returns their paths.
fn write_test_images(root: &Path, count: usize) -> Vec<String> {
    let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default()).unwrap();
    let write = |index: usize| {
        let image = data.test.image(index).unwrap();
        let grey = GrayImage::from_raw(28, 28, image.pixels.to_vec()).unwrap();
        let path = root.join(format!("{index:03}.png"));
        fs::write(&path, encoded(&DynamicImage::ImageLuma8(grey), ImageFormat::Png)).unwrap();
        path.display().to_string()
    };
    (0..count).map(write).collect()
}

#[test]
fn test_images_have_the_answers_of_predict() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let network = "pretrained:record-fashion-mnist";
    let page = export(root, network);
    assert!(fs::metadata(&page).unwrap().len() <= LARGEST_PAGE);
    let paths = write_test_images(root, PICTURES);
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let Some(answers) = in_node(&[&[&page[..]], &paths[..]].concat()) else { return };

    for kernels in [SAME_ORDER, ""] {
        let expected = predicted(root, network, kernels, &paths);
        assert_eq!((answers.len(), expected.len()), (PICTURES, PICTURES));
        for (answer, expected) in answers.iter().zip(&expected) {
            assert_close(answer, expected, TOLERANCE);
        }
    }
    // One at a time, logits and maps are the same bits. Probabilities may differ in the last one: `exp` is the system's.
    for (answer, path) in answers.iter().zip(&paths[..SINGLE]) {
        assert_close(answer, &predicted(root, network, SAME_ORDER, &[path])[0], 0.0);
    }
}

#[test]
fn odd_pictures_have_the_answer_of_predict_or_its_reason() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    write_network(&root.join("network"), 3, Some(Fit::Crop), "photos");
    let page = export(root, "network");
    let table = rows();
    let paths: Vec<_> = table.iter().map(|row| row.path.to_str().unwrap()).collect();
    let Some(answers) = in_node(&[&[&page[..]], &paths[..]].concat()) else { return };
    let expected = predicted(root, "network", SAME_ORDER, &paths);
    for (row, answer) in table.iter().zip(&answers) {
        match &row.expected {
            Expected::Decoded { .. } => {
                let same = expected.iter().find(|image| image["path"] == answer["path"]);
                assert_close(answer, same.unwrap(), UNTRAINED_TOLERANCE);
            }
            Expected::Refused(words) => {
                let detail = answer["problem"]["detail"].as_str().unwrap_or_default();
                // `predict` calls an empty file empty; for the page it has no format.
                let is_empty = fs::metadata(&row.path).unwrap().len() == 0;
                assert!(is_empty || detail.contains(words), "{}: {answer}", row.name);
            }
        }
    }
}

#[test]
fn a_network_with_whitening_has_the_answers_of_predict() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let paths = write_test_images(root, SINGLE);
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let architecture: Architecture = Builtin::PaperMnist.architecture(1, 10).unwrap();
    let weights = Initialization::Kaiming.weights(&architecture, 3);
    let length = 28 * 28;
    // Neighbouring pixels are subtracted from each other.
    let mut matrix = vec![0.0; length * length];
    for at in 0..length {
        matrix[at * length + at] = 1.5;
        matrix[at * length + (at + 1) % length] = -0.5;
    }
    let whitening = Whitening { bias: 0.1, mean: vec![0.25; length].into(), matrix: matrix.into() };
    let metadata = ModelMetadata {
        architecture,
        classes: (0..10).map(|class| format!("class {class}")).collect(),
        dataset: "fashion-mnist".to_owned(),
        preprocessing: Preprocessing {
            whitening: Some(whitening),
            ..Preprocessing::resized([28, 28])
        },
        precision: Precision::Fp32,
    };
    fs::write(root.join("network"), metadata.to_safetensors(&weights).unwrap()).unwrap();
    let page = export(root, "network");
    let Some(answers) = in_node(&[&[&page[..]], &paths[..]].concat()) else { return };
    let expected = predicted(root, "network", SAME_ORDER, &paths);
    assert_eq!((answers.len(), expected.len()), (SINGLE, SINGLE));
    for (answer, expected) in answers.iter().zip(&expected) {
        assert_close(answer, expected, UNTRAINED_TOLERANCE);
    }
}

#[test]
fn memory_does_not_grow_over_a_thousand_pictures() {
    let root = tempfile::tempdir().unwrap();
    let page = export(root.path(), "pretrained:record-fashion-mnist");
    let clothes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/clothes");
    let names = ["bag", "coat", "dress", "sandal", "trouser"];
    let paths = names.map(|name| clothes.join(format!("{name}.png")).display().to_string());
    let paths = paths.each_ref().map(String::as_str);
    let Some(figures) = in_node(&[&[&page[..]], &paths[..], &["--times", "200"]].concat()) else {
        return;
    };
    assert_eq!(figures[0]["pictures"], 1000);
    let [before, after] =
        ["memory_bytes", "memory_after_bytes"].map(|key| figures[0][key].as_u64().unwrap());
    assert!(after - before <= MOST_GROWTH, "{before} bytes, then {after}");
}
