//! Trains on a custom data set: a folder of four IDX files. Classes and sizes follow the data.
//!
//! ```sh
//! cargo run --release --example own_data              # trains on generated stripes
//! cargo run --release --example own_data -- FOLDER    # trains on your own files
//! ```

use std::error::Error;
use std::path::{Path, PathBuf};

use burn::backend::Autodiff;
use burn_flex::{Flex, FlexDevice};
use nin_data::{DataSet, Locations};
use nin_train::Trainer;
use nin_train::recipe::RecipeBuilder;

/// Keeps the size of the images. The network is two small blocks.
const RECIPE: &str = r#"
[model]
initialization = "lsuv-open"
blocks = [
  { kernel = 3, padding = 1, widths = [8, 8, 8], pool = { kernel = 2, stride = 2 } },
  { kernel = 3, padding = 1, widths = [16, 16, "classes"] },
]
[data]
input_size = 0
[optimizer]
kind = "adamw"
learning_rate = 0.01
[training]
epochs = 3
batch_size = 20
"#;

/// Side of the generated images, in pixels.
const SIDE: usize = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let parent = tempfile::tempdir()?;
    let folder =
        std::env::args_os().nth(1).map_or_else(|| parent.path().join("stripes"), PathBuf::from);
    if !folder.exists() {
        write_stripes(&folder)?;
    }
    let data = DataSet::open("mine", Some(&folder), &Locations::default())?;
    let [height, width] = data.train.image_size().unwrap_or_default();
    let [train_images, test_images] = [data.train.len(), data.test.len()];
    println!(
        "{train_images} + {test_images} images of {height}x{width}, classes {:?}",
        data.class_names
    );

    let recipe = RecipeBuilder::from_text("mine", "RECIPE", RECIPE)?.build()?;
    let summary = Trainer::new(recipe, data)
        .folder(parent.path().join("run"))
        .run::<Autodiff<Flex>>(&FlexDevice)?;
    println!("{}", summary.closing_lines("the CPU").unwrap_or_default());
    Ok(())
}

/// Writes four IDX files, each with a magic number, big-endian sizes and one byte per value. Class 0 has horizontal
/// stripes, class 1 vertical ones, and class 2 both.
fn write_stripes(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir(folder)?;
    for (split, count) in [("train", 300_u32), ("t10k", 60)] {
        let mut images = vec![0, 0, 8, 3]; // unsigned bytes, three dimensions
        for size in [count, SIDE as u32, SIDE as u32] {
            images.extend(size.to_be_bytes());
        }
        let mut labels = vec![0, 0, 8, 1]; // unsigned bytes, one dimension
        labels.extend(count.to_be_bytes());
        for image in 0..count as usize {
            let (class, phase) = (image % 3, image / 3 % 4);
            let is_bright = |at: usize| (at + phase) % 4 < 2;
            for (row, column) in (0..SIDE * SIDE).map(|at| (at / SIDE, at % SIDE)) {
                let value = match class {
                    0 => is_bright(row),
                    1 => is_bright(column),
                    _ => is_bright(row) != is_bright(column),
                };
                images.push(if value { 200 } else { 20 });
            }
            labels.push(class as u8);
        }
        std::fs::write(folder.join(format!("{split}-images-idx3-ubyte")), images)?;
        std::fs::write(folder.join(format!("{split}-labels-idx1-ubyte")), labels)?;
    }
    Ok(())
}
