//! Writes the embedded sample from Fashion-MNIST: 600 training and 100 test images per class, in a fixed
//! random order.
//!
//! ```text
//! cargo run -p nin-data --example make_sample -- /usr/share/datasets/fashion-mnist crates/nin-data/sample
//! ```

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use nin_data::{DataSet, FASHION_MNIST, ImageDataset, Locations, choose_sample};

const TRAIN_PER_CLASS: usize = 600;
const TEST_PER_CLASS: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err("usage: make_sample FASHION-MNIST-FOLDER OUTPUT-FOLDER".into());
    };
    let data = DataSet::open(FASHION_MNIST, Some(&from), &Locations::default())?;
    if data.checksums.iter().any(|checksum| checksum.known != Some(true)) {
        return Err("the folder does not hold the published Fashion-MNIST".into());
    }
    write_split(&to, "train", &data.train, TRAIN_PER_CLASS, 0)?;
    write_split(&to, "t10k", &data.test, TEST_PER_CLASS, 1)
}

fn write_split(
    folder: &Path,
    name: &str,
    dataset: &ImageDataset,
    per_class: usize,
    split: u64,
) -> Result<(), Box<dyn Error>> {
    let chosen = choose_sample(dataset.labels(), per_class, split);
    let [height, width] = dataset.image_size().ok_or("images of one size")?;
    let count = u32::try_from(chosen.len())?;
    let mut images = vec![0, 0, 8, 3];
    for size in [count, u32::try_from(height)?, u32::try_from(width)?] {
        images.extend(size.to_be_bytes());
    }
    let mut labels = vec![0, 0, 8, 1];
    labels.extend(count.to_be_bytes());
    for index in chosen {
        let image = dataset.image(index)?;
        images.extend_from_slice(&image.pixels);
        labels.push(u8::try_from(image.label)?);
    }
    write_gzip(&folder.join(format!("{name}-images-idx3-ubyte.gz")), &images)?;
    write_gzip(&folder.join(format!("{name}-labels-idx1-ubyte.gz")), &labels)
}

/// Writes a gzip file without name and time, so that equal content gives equal files.
fn write_gzip(path: &Path, content: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    fs::write(path, encoder.finish()?)?;
    println!("{}: {} bytes", path.display(), content.len());
    Ok(())
}
