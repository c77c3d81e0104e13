//! A small synthetic data set, and a small network to learn it.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::chance::Chance;

const SIDE: usize = 20;
const TRAIN_IMAGES: usize = 400;
const TEST_IMAGES: usize = 60;
const CLASSES: u64 = 3;

/// Two blocks with dropout, and every part of a recipe that has state to resume; twenty steps per epoch.
const RECIPE: &str = r#"# A small network on made-up images.
[model]
architecture = "small"
initialization = "lsuv-open"
blocks = [
  { kernel = 3, padding = 1, widths = [8, 8, 8], pool = { kernel = 2, stride = 2 }, dropout = 0.1 },
  { kernel = 3, padding = 1, widths = [16, 8, "classes"] },
]
[data]
dataset = "shapes"
input_size = 0
[augmentation]
flip = true
shift = 2
erase = 0.3
mixup = 0.4
cutmix = 1.0
[optimizer]
kind = "adamw"
learning_rate = 0.003
weight_decay = 0.01
decay_biases = false
[training]
batch_size = 20
label_smoothing = 0.05
"#;

/// Writes `data/` and `small.toml` into a folder.
pub(crate) fn write(folder: &Path) -> anyhow::Result<()> {
    fs::write(folder.join("small.toml"), RECIPE).context("cannot write the recipe")?;
    let data = folder.join("data");
    fs::create_dir(&data).context("cannot create the data folder")?;
    let mut chance = Chance::new(7);
    for (split, count) in [("train", TRAIN_IMAGES), ("t10k", TEST_IMAGES)] {
        let mut images = vec![0, 0, 8, 3];
        for size in [count, SIDE, SIDE] {
            images.extend(u32::try_from(size)?.to_be_bytes());
        }
        let mut labels = vec![0, 0, 8, 1];
        labels.extend(u32::try_from(count)?.to_be_bytes());
        for _ in 0..count {
            let class = chance.below(CLASSES);
            labels.push(u8::try_from(class)?);
            let shift = chance.below(6) as usize;
            images.extend((0..SIDE * SIDE).map(|at| {
                let (row, column) = (at / SIDE, at % SIDE);
                let is_set = match class {
                    0 => (shift + 4..shift + 12).contains(&row) && (4..14).contains(&column),
                    1 => (shift + 7..shift + 10).contains(&row),
                    _ => (shift + 7..shift + 10).contains(&column),
                };
                let noise = chance.below(60) as u8;
                if is_set { 180 + noise } else { noise }
            }));
        }
        fs::write(data.join(format!("{split}-images-idx3-ubyte")), images)?;
        fs::write(data.join(format!("{split}-labels-idx1-ubyte")), labels)?;
    }
    Ok(())
}
