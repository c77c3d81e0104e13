//! Networks that no page is written for, and names that could break one.

use std::fs;

use nin_model::{Architecture, Builtin, Initialization, ModelMetadata, Precision, Preprocessing};
use serde_json::Value;

use crate::program::nin;
use crate::workshop::words;

/// Class names that would end a script element or an attribute.
pub(super) const NAMES: [&str; 3] = [
    "</script><script>document.title = 'taken over'</script>",
    "\"quotes\" & 'more'",
    "<!-- {{data}}",
];

/// Returns the file of an untrained network with these class names.
pub(super) fn network(classes: &[&str], builtin: Builtin) -> Vec<u8> {
    let architecture: Architecture = builtin.architecture(1, classes.len()).unwrap();
    let weights = Initialization::Kaiming.weights(&architecture, 3);
    let metadata = ModelMetadata {
        architecture,
        classes: classes.iter().map(|&name| name.to_owned()).collect(),
        dataset: "photos".to_owned(),
        preprocessing: Preprocessing::resized([96, 96]),
        precision: Precision::Fp32,
    };
    metadata.to_safetensors(&weights).unwrap()
}

#[test]
fn class_names_cannot_break_the_page() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("network"), network(&NAMES, Builtin::PaperMnist)).unwrap();
    nin(root.path(), &words("export --checkpoint network --to web --output page.html")).ok();
    let html = fs::read_to_string(root.path().join("page.html")).unwrap();
    let (_, rest) = html.split_once("id=\"description\">").unwrap();
    let (description, _) = rest.split_once("</script>").unwrap();
    let description: Value = serde_json::from_str(description).unwrap();
    assert_eq!(description["classes"], serde_json::json!(NAMES));
    assert!(!html.contains(NAMES[0]));
}

#[test]
fn networks_that_are_too_large_for_a_page_are_refused() {
    let root = tempfile::tempdir().unwrap();
    // The book's network has 96 to 384 channels; 4,096 classes make its last layers large.
    let names: Vec<String> = (0..4096).map(|class| class.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    fs::write(root.path().join("network"), network(&names, Builtin::D2l)).unwrap();
    let line = "export --checkpoint network --to web --output page.html";
    let finished = nin(root.path(), &words(line));
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains("more than the limit of 33554432"), "{}", finished.stderr);
    assert!(finished.stderr.contains("hint: serve it with `nin-cli serve`"), "{}", finished.stderr);
    assert!(!root.path().join("page.html").exists());
}
