//! A small network, trained on the made-up shapes in a second or two.

use std::path::Path;

use crate::program::{nin, write_shapes};

/// Side of the made-up images, in pixels.
pub(crate) const SIDE: usize = 20;
/// How many of them are for testing.
pub(crate) const TEST_IMAGES: usize = 60;

/// Two blocks for three classes; the maps are half as high and wide as the input.
pub(crate) const SMALL: &str = r#"# A small network on the made-up shapes.
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

/// Leaves in a folder: `data`, `small.toml` and, trained, `run`.
pub(crate) fn train_small(root: &Path) {
    std::fs::create_dir(root.join("data")).unwrap();
    write_shapes(&root.join("data"), SIDE, 210, TEST_IMAGES);
    std::fs::write(root.join("small.toml"), SMALL).unwrap();
    let arguments = "train --config small.toml --data data --run run --progress none";
    nin(root, &words(arguments)).ok();
}

/// A command line, split at its spaces.
pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}
