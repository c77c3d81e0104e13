//! The embedded networks, and the others in `weights/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn_dataset::Dataset;
use image::GrayImage;
use nin_data::{DataSet, FASHION_MNIST_SAMPLE, ImageItem, Locations, sha256};
use nin_train::load_model;

use crate::program::nin;
use crate::workshop::{PACKAGE, has_package};

/// Another instruction set may change the answer for one of 10,000 images.
const TOLERANCE: f64 = 0.000_15;

/// The cards of the networks in `weights/`.
const CARDS: &str = include_str!("../../../../weights/README.md");
const WEIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../weights");

/// Each network's file name and its card.
fn cards() -> BTreeMap<&'static str, &'static str> {
    CARDS.split("\n## ").skip(1).filter_map(|card| card.split_once('\n')).collect()
}

/// Returns the card's accuracy, on all 10,000 test images.
fn accuracy(card: &str) -> f64 {
    let (_, accuracy) = card.split_once("| test accuracy | ").unwrap();
    accuracy.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn every_network_loads_and_has_a_model_card() {
    let cards = cards();
    let files = fs::read_dir(WEIGHTS).unwrap().map(|entry| entry.unwrap().path());
    let networks: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|is| is == "safetensors")).collect();
    assert!(networks.len() > 1 && networks.len() == cards.len());
    for file in networks {
        let (metadata, weights) = load_model(&file).unwrap();
        weights.check(&metadata.architecture).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let sum = sha256(&fs::read(&file).unwrap());
        assert!(cards[name].contains(&sum), "the SHA-256 of {name}: {sum}");
    }
}

#[test]
fn every_network_reaches_the_accuracy_of_its_card() {
    if !has_package() {
        return;
    }
    let cards = cards();
    // MNIST has no Debian package.
    let known = cards.into_iter().filter(|(_, card)| card.contains("| data | Fashion-MNIST,"));
    let known: Vec<_> = known.collect();
    assert_eq!(known.len(), 5);
    for (name, card) in known {
        let file = format!("{WEIGHTS}/{name}");
        let line = ["eval", "--checkpoint", &file, "--data", PACKAGE, "--format", "json"];
        let evaluation = nin(Path::new("."), &line).json();
        assert_eq!(evaluation["images"], 10_000);
        let measured = evaluation["accuracy"].as_f64().unwrap();
        assert!((measured - accuracy(card)).abs() < TOLERANCE, "{name}: {measured}");
    }
}

#[test]
fn predict_works_without_training() {
    let root = tempfile::tempdir().unwrap();
    let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default()).unwrap();
    let label = data.class_names.iter().position(|class| class == "Trouser").unwrap();
    let mut items = Dataset::<ImageItem>::iter(&data.test);
    let pixels = items.find(|item| usize::from(item.label) == label).unwrap().pixels;
    let picture = GrayImage::from_raw(28, 28, pixels).unwrap();
    picture.save(root.path().join("trousers.png")).unwrap();
    let told = nin(root.path(), &["predict", "trousers.png", "--top", "1", "--format", "json"]);
    assert_eq!(told.json()["images"][0]["top"][0]["class"], "Trouser");
}

#[test]
fn an_unknown_network_name_is_an_error_that_lists_the_known_ones() {
    let refused = nin(Path::new("."), &["eval", "--checkpoint", "pretrained:alexnet"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("available: record-fashion-mnist"), "{}", refused.stderr);
    assert!(refused.stderr.contains("weights/alexnet.safetensors"), "{}", refused.stderr);
}

#[test]
fn network_names_are_also_looked_up_in_the_weights_folder() {
    let root = tempfile::tempdir().unwrap();
    let weights = root.path().join("weights");
    fs::create_dir(&weights).unwrap();
    let record = format!("{WEIGHTS}/record-fashion-mnist.safetensors");
    fs::copy(record, weights.join("mine.safetensors")).unwrap();
    let eval = |name: &str| {
        let sample = ["--dataset", FASHION_MNIST_SAMPLE, "--format", "json"];
        nin(root.path(), &[&["eval", "--checkpoint", name], &sample[..]].concat())
    };
    assert_eq!(
        eval("pretrained:mine").json()["accuracy"],
        eval("pretrained:record-fashion-mnist").json()["accuracy"]
    );
    let refused = eval("pretrained:../weights/mine");
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("is a path, not a name"), "{}", refused.stderr);
}
