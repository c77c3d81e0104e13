//! A small network and synthetic shapes on which it trains in a second or two.

use std::path::Path;

use nin_testing::Need;
use serde_json::Value;

use crate::program::{Finished, metrics, nin, write_shapes};

/// The side of the synthetic images, in pixels.
pub(crate) const SIDE: usize = 20;
/// The number of test images.
pub(crate) const TEST_IMAGES: usize = 60;

/// The folder of Debian's package of Fashion-MNIST.
pub(crate) const PACKAGE: &str = "/usr/share/datasets/fashion-mnist";

/// Two blocks for three classes. The maps have half the height and width of the input.
const RECIPE: &str = r#"# A small network on the made-up shapes.
[model]
architecture = "small"
initialization = "kaiming"
blocks = [
  { kernel = 3, padding = 1, widths = [8, 8, 8], pool = { kernel = 2, stride = 2 }, dropout = 0.1 },
  { kernel = 3, padding = 1, widths = [16, 8, "classes"] },
]
[data]
dataset = "shapes"
input_size = 0
[optimizer]
kind = "adamw"
learning_rate = 0.01
[training]
epochs = 4
batch_size = 20
"#;

/// Writes `data` and `small.toml` into a folder.
fn prepare(root: &Path) {
    std::fs::create_dir(root.join("data")).unwrap();
    write_shapes(&root.join("data"), SIDE, 210, TEST_IMAGES);
    std::fs::write(root.join("small.toml"), RECIPE).unwrap();
}

/// Writes `data` and `small.toml` into a folder, and trains `run`.
pub(crate) fn train_small(root: &Path) {
    prepare(root);
    train(root, "run", &[]).ok();
}

fn train(root: &Path, run: &str, more: &[&str]) -> Finished {
    let line = format!("train --config small.toml --data data --run {run} --progress none");
    nin(root, &[&words(&line)[..], more].concat())
}

/// Copies a folder with its links.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
}

/// Splits a command line at spaces.
pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// A temporary folder with the data and the recipe.
pub(crate) struct Workshop {
    root: tempfile::TempDir,
}

/// Returns whether Fashion-MNIST is installed.
pub(crate) fn has_package() -> bool {
    let is_there = Path::new(PACKAGE).is_dir();
    if !is_there {
        Need::FashionMnist.skip(format!("no {PACKAGE}"));
    }
    is_there
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        prepare(root.path());
        Self { root }
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn train(&self, run: &str, more: &[&str]) -> Finished {
        train(self.path(), run, more)
    }

    pub(crate) fn weights(&self, run: &str) -> Vec<u8> {
        std::fs::read(self.path().join(run).join("checkpoints/latest/model.safetensors")).unwrap()
    }

    /// Returns loss and accuracies of each epoch.
    pub(crate) fn figures(&self, run: &str) -> Vec<[Value; 3]> {
        metrics(&self.path().join(run))
            .into_iter()
            .filter(|event| event["event"] == "epoch")
            .map(|event| {
                ["train_loss", "train_accuracy", "test_accuracy"].map(|key| event[key].clone())
            })
            .collect()
    }
}
