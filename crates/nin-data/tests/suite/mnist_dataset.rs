//! burn-dataset's own `MnistDataset` gives the same items for the same files.
//!
//! It reads the user's cache folder and downloads missing files. A second process of this program therefore
//! runs it with a temporary cache folder that has every file.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn_dataset::Dataset;
use burn_dataset::vision::{MnistDataset, MnistItem};
use flate2::read::GzDecoder;
use nin_data::{DataSet, FASHION_MNIST, ImageDataset, Locations, read_images, read_labels};

/// The environment variable that passes the prepared cache folder to the second process.
const FOLDER: &str = "NIN_TEST_MNIST_FOLDER";
/// burn-dataset's name of each part, and the prefix of its files.
const SPLITS: [(&str, &str); 2] = [("train", "train"), ("test", "t10k")];

#[test]
fn burn_datasets_items_match_ours() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample");
    compare_over(&sample);
    // real_data.rs fails if Fashion-MNIST was promised and is missing.
    match DataSet::open(FASHION_MNIST, None, &Locations::from_environment()) {
        Ok(whole) => compare_over(&whole.folder.unwrap()),
        Err(error) => println!("skipped: {error}"),
    }
}

/// Compares the items of the files in a folder, each plain or `.gz`.
fn compare_over(files: &Path) {
    let root = tempfile::tempdir().unwrap();
    let cache = root.path().join("burn-dataset/mnist");
    for (split, prefix) in SPLITS {
        let folder = cache.join(split);
        fs::create_dir_all(&folder).unwrap();
        for name in names(prefix) {
            let plain = folder.join(&name);
            if let Ok(zipped) = File::open(files.join(format!("{name}.gz"))) {
                let mut plain = File::create(plain).unwrap();
                io::copy(&mut GzDecoder::new(zipped), &mut plain).unwrap();
            } else {
                fs::copy(files.join(name), plain).unwrap();
            }
        }
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "mnist_dataset::second_process"])
        .env("XDG_CACHE_HOME", root.path())
        .env(FOLDER, &cache)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "burn_datasets_items_match_ours runs it in a separate process"]
fn second_process() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        println!("skipped: {FOLDER} is not set");
        return;
    };
    for ((split, prefix), theirs) in
        SPLITS.into_iter().zip([MnistDataset::train, MnistDataset::test])
    {
        let [images, labels] = names(prefix).map(|name| folder.join(split).join(name));
        let (images, _) = read_images(&images).unwrap();
        let labels = read_labels(&labels).unwrap().0.into_iter().map(u16::from).collect();
        let ours = ImageDataset::new(images, labels).unwrap();
        let theirs = theirs();
        assert_eq!(Dataset::<MnistItem>::len(&ours), theirs.len());
        for index in 0..theirs.len() {
            let [ours, theirs]: [MnistItem; 2] =
                [ours.get(index).unwrap(), theirs.get(index).unwrap()];
            assert_eq!((ours.image, ours.label), (theirs.image, theirs.label), "{split} {index}");
        }
        assert!(Dataset::<MnistItem>::get(&ours, theirs.len()).is_none());
    }
}

fn names(prefix: &str) -> [String; 2] {
    ["images-idx3-ubyte", "labels-idx1-ubyte"].map(|kind| format!("{prefix}-{kind}"))
}
