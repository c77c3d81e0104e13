//! nin-data's table of odd pictures through `predict` and the library: PIL's pixels, or an
//! error. `serve` is in serve/odd_pictures.rs.

#[path = "../../../nin-data/tests/suite/pictures/table.rs"]
mod table;

use std::fs;
use std::path::Path;
use std::process::Command;

#[cfg(feature = "flex")]
use burn_flex::{Flex, FlexDevice};
use nin_data::{Picture, sha256};
use nin_model::{
    Architecture, Builtin, Fit, Initialization, ModelMetadata, Precision, Preprocessing,
};
use nin_testing::Need;
#[cfg(feature = "flex")]
use nin_train::Predictor;
use nin_train::Preparation;
use serde_json::Value;

use crate::program::nin;
use crate::workshop::words;
use table::INPUT;
pub(crate) use table::{Expected, rows};

pub(crate) const FITS: [Fit; 3] = [Fit::Stretch, Fit::Crop, Fit::Pad];
/// Tolerance of PyTorch's logits: 32-bit sums in another order.
const LOGIT_TOLERANCE: f64 = 2e-4;
/// The same for 16-bit colours, of which PIL keeps the upper 8 bits.
const DEEP_TOLERANCE: f64 = 2e-2;

/// Writes an untrained network for the table's input. Every logit depends on every pixel.
pub(crate) fn write_network(path: &Path, channels: usize, fit: Option<Fit>, dataset: &str) {
    let architecture: Architecture = Builtin::PaperCifar10.architecture(channels, 10).unwrap();
    let weights = Initialization::Kaiming.weights(&architecture, 3);
    let metadata = ModelMetadata {
        architecture,
        classes: (0..10).map(|class| format!("class {class}")).collect(),
        dataset: dataset.to_owned(),
        preprocessing: Preprocessing { fit, ..Preprocessing::resized(INPUT) },
        precision: Precision::Fp32,
    };
    fs::write(path, metadata.to_safetensors(&weights).unwrap()).unwrap();
}

fn metadata_of(path: &Path) -> ModelMetadata {
    ModelMetadata::from_safetensors(&fs::read(path).unwrap()).unwrap().0
}

fn logits(image: &Value) -> Vec<f64> {
    let mut entries: Vec<_> = image["top"].as_array().unwrap().iter().collect();
    entries.sort_by_key(|entry| entry["class"].as_str().unwrap());
    entries.iter().map(|entry| entry["logit"].as_f64().unwrap()).collect()
}

#[test]
fn every_fit_matches_pil_on_the_odd_pictures() {
    let root = tempfile::tempdir().unwrap();
    let network = root.path().join("network");
    for channels in [1, 3] {
        for (at, fit) in FITS.into_iter().enumerate() {
            write_network(&network, channels, Some(fit), "photos");
            let preparation = Preparation::new(&metadata_of(&network));
            for row in rows() {
                let Expected::Decoded { size, colour, grey } = row.expected else { continue };
                let picture = Picture::decode(&fs::read(&row.path).unwrap()).unwrap();
                let prepared = preparation.prepare(picture).unwrap();
                let hash = sha256(&prepared.picture.planes.concat());
                let expected = if channels == 1 { grey } else { colour };
                assert_eq!(hash[..16], expected.fitted[at], "{}, {fit:?}", row.name);
                assert_eq!((prepared.original_size, prepared.inverted), (size, false));
            }
        }
    }
}

#[cfg(feature = "flex")]
#[test]
fn predict_matches_the_library_on_the_odd_pictures_and_names_rejected_ones() {
    let root = tempfile::tempdir().unwrap();
    let network = root.path().join("network");
    write_network(&network, 3, Some(Fit::Crop), "photos");
    let predictor = Predictor::<Flex>::open(&network, &FlexDevice).unwrap();
    let table = rows();
    let paths: Vec<_> = table.iter().map(|row| row.path.to_str().unwrap()).collect();
    let line = ["predict", "--checkpoint", "network", "--format", "json", "--top", "10"];
    let finished = nin(root.path(), &[&line[..], &paths].concat());
    assert_eq!(finished.code, Some(1));
    let answers: Value = serde_json::from_str(&finished.stdout).unwrap();
    let find = |list: &str, path: &str| {
        answers[list].as_array().unwrap().iter().find(|entry| entry["path"] == path).cloned()
    };
    for (row, path) in table.iter().zip(paths) {
        let (answer, refusal) = (find("images", path), find("refused", path));
        match &row.expected {
            Expected::Decoded { size, .. } => {
                let answer = answer.unwrap_or_else(|| panic!("{}: {refusal:?}", row.name));
                assert_eq!(answer["size"], serde_json::json!(size), "{}", row.name);
                let picture = Picture::decode(&fs::read(&row.path).unwrap()).unwrap();
                let expected = predictor.predict(&picture).unwrap().logits;
                for (logit, expected) in logits(&answer).iter().zip(expected) {
                    assert!((logit - f64::from(expected)).abs() < 1e-5, "{}", row.name);
                }
            }
            Expected::Refused(words) => {
                assert!(answer.is_none(), "{}", row.name);
                let reason = refusal.unwrap()["reason"].as_str().unwrap().to_owned();
                assert!(reason.contains(words), "{}: {reason}", row.name);
            }
        }
    }
}

/// Returns a Python with torch, safetensors and pillow: `$NIN_PYTHON`, else `python3`.
fn python() -> Option<String> {
    let python = std::env::var("NIN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_all = Command::new(&python).args(["-c", "import torch, safetensors, PIL"]).output();
    if has_all.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    Need::Torch.skip("no Python with torch, safetensors and pillow, named by NIN_PYTHON");
    None
}

/// Prints `model.py`'s logits for each file as one JSON list per line, or `null` if PIL rejects it.
const ANSWERS: &str = r"
import json, sys
import torch
from PIL import Image
import model
net = model.load()
for path in sys.argv[1:]:
    try:
        with torch.inference_mode():
            print(json.dumps(net(model.inputs(Image.open(path)))[0].tolist()))
    except OSError:
        print('null')
";

#[test]
fn model_py_matches_predict_on_the_odd_pictures() {
    let Some(python) = python() else { return };
    let root = tempfile::tempdir().unwrap();
    let table = rows();
    let decoded = table.iter().filter(|row| matches!(row.expected, Expected::Decoded { .. }));
    let paths: Vec<&str> = decoded.map(|row| row.path.to_str().unwrap()).collect();
    let variants = [
        (3, Some(Fit::Stretch), "photos"),
        (3, Some(Fit::Crop), "photos"),
        (1, Some(Fit::Pad), "photos"),
        (1, None, "fashion-mnist"),
        (3, None, "cifar10"),
    ];
    for (channels, fit, dataset) in variants {
        let folder = root.path().join(format!("{channels}-{fit:?}"));
        fs::create_dir(&folder).unwrap();
        write_network(&folder.join("network"), channels, fit, dataset);
        let export = "export --checkpoint network --to safetensors --output net.safetensors";
        nin(&folder, &words(export)).ok();
        let line = ["predict", "--checkpoint", "network", "--format", "json", "--top", "10"];
        let answers = nin(&folder, &[&line[..], &paths].concat()).json();
        let output = Command::new(&python)
            .current_dir(&folder)
            .args(["-W", "ignore", "-c", ANSWERS])
            .args(&paths)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let theirs = String::from_utf8(output.stdout).unwrap();
        let mut compared = 0;
        let images = answers["images"].as_array().unwrap();
        assert_eq!((images.len(), theirs.lines().count()), (paths.len(), paths.len()));
        for (image, theirs) in images.iter().zip(theirs.lines()) {
            let path = image["path"].as_str().unwrap();
            let Some(theirs) = serde_json::from_str::<Option<Vec<f64>>>(theirs).unwrap() else {
                // PIL requires the end marker even if all pixels of a JPEG are there.
                assert!(path.contains("no-end"), "{path}");
                continue;
            };
            let is_deep = path.contains("-16.png") && !path.contains("grey");
            let tolerance = if is_deep { DEEP_TOLERANCE } else { LOGIT_TOLERANCE };
            let ours = logits(image);
            let largest =
                ours.iter().copied().fold(1.0, |largest: f64, ours| largest.max(ours.abs()));
            for (ours, theirs) in ours.iter().zip(&theirs) {
                let difference = (ours - theirs).abs();
                assert!(
                    difference <= tolerance * largest,
                    "{path}, {fit:?}: {ours} here, {theirs} in PyTorch"
                );
            }
            compared += 1;
        }
        assert!(compared > 80, "{compared}");
    }
}
