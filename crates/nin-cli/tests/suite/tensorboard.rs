//! `train --tensorboard`, read by the real TensorBoard if it is installed.

use std::path::PathBuf;
use std::process::Command;

use nin_testing::Need;
use serde_json::Value;

use crate::program::{metrics, nin};
use crate::workshop::{Workshop, words};

/// Prints what TensorBoard's own reader finds in a folder.
const READER: &str = r#"
import io, json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from PIL import Image
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0})
events.Reload()
tags = events.Tags()
images = {}
for tag in tags["images"]:
    image = events.Images(tag)[-1]
    decoded = Image.open(io.BytesIO(image.encoded_image_string))
    assert decoded.size == (image.width, image.height), tag
    images[tag] = image.step
scalars = {tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in tags["scalars"]}
print(json.dumps({"scalars": scalars, "images": images}))
"#;

/// Returns a Python with tensorboard and pillow: `$NIN_PYTHON`, else `python3`.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("NIN_PYTHON").map_or_else(|| "python3".into(), PathBuf::from);
    let has_both = Command::new(&python).args(["-c", "import tensorboard, PIL"]).output();
    if has_both.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    Need::Tensorboard.skip("no Python with tensorboard and pillow, named by NIN_PYTHON");
    None
}

fn read(python: &PathBuf, workshop: &Workshop) -> Value {
    let folder = workshop.path().join("run/tensorboard");
    let output = Command::new(python).args(["-c", READER]).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn tensorboard_reads_the_logged_values() {
    let workshop = Workshop::new();
    workshop.train("run", &["--tensorboard", "--epochs", "2"]).ok();
    let files = || std::fs::read_dir(workshop.path().join("run/tensorboard")).unwrap().count();
    assert_eq!(files(), 2, "one for the scalars, one for the pictures");
    let Some(python) = python() else { return };
    let found = read(&python, &workshop);
    let events = metrics(&workshop.path().join("run"));
    let steps_per_epoch = 11; // 210 images in batches of 20
    let expected = |event: &str, key: &str| -> Vec<(u64, f64)> {
        let of_kind = events.iter().filter(|line| line["event"] == event);
        of_kind
            .map(|line| {
                let step = line["total_steps"].as_u64().unwrap_or_else(|| {
                    let epoch = line["epoch"].as_u64().unwrap();
                    (epoch - 1) * steps_per_epoch + line["step"].as_u64().unwrap()
                });
                (step, line[key].as_f64().unwrap())
            })
            .collect()
    };
    for (tag, event, key) in [
        ("loss/train", "step", "train_loss"),
        ("accuracy/train", "step", "train_accuracy"),
        ("learning_rate", "step", "learning_rate"),
        ("images_per_sec", "step", "images_per_sec"),
        ("loss/test", "epoch", "test_loss"),
        ("accuracy/test", "epoch", "test_accuracy"),
        ("epoch/train_loss", "epoch", "train_loss"),
    ] {
        let expected = expected(event, key);
        assert!(!expected.is_empty(), "{tag}");
        let points = found["scalars"][tag].as_array().unwrap_or_else(|| panic!("{tag}: {found}"));
        assert_eq!(points.len(), expected.len(), "{tag}");
        for (point, (step, value)) in points.iter().zip(expected) {
            assert_eq!(point[0], step, "{tag}");
            // TensorBoard keeps 32 bits.
            assert_eq!(point[1].as_f64().unwrap() as f32, value as f32, "{tag}");
        }
    }
    assert_eq!(found["images"]["filters"], 22, "{found}");

    // A resumed run continues the curves.
    let line = "train --run run --resume --data data --epochs 3 --tensorboard --progress none";
    nin(workshop.path(), &words(line)).ok();
    let steps: Vec<_> = read(&python, &workshop)["scalars"]["loss/test"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point[0].as_u64().unwrap())
        .collect();
    assert_eq!(steps, [11, 22, 33]);
}

#[test]
fn an_unwritable_event_file_does_not_end_training() {
    let workshop = Workshop::new();
    workshop.train("run", &["--epochs", "1", "--no-report"]).ok();
    std::fs::write(workshop.path().join("run/tensorboard"), "a file has its name").unwrap();
    let line = "train --run run --resume --data data --epochs 2 --tensorboard --progress none";
    let finished = nin(workshop.path(), &words(line)).ok();
    assert!(
        finished.stderr.contains("warning: stopped writing TensorBoard events"),
        "{}",
        finished.stderr
    );
    assert!(finished.stdout.contains("test acc"), "{}", finished.stdout);
}
