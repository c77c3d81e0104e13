//! IDX files of images and labels.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::Case;
use crate::program::write_shapes;

const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";

const TRAIN: [&str; 7] = ["train", "--data", "data", "--dataset", "shapes", "--progress", "none"];

/// Writes a valid data set to `data`, then damages it.
fn damaged(damage: impl Fn(&Path) + 'static, expected: &[&'static str]) -> Case {
    Case::damaged(|data| write_shapes(data, 28, 30, 9), damage, &TRAIN, expected)
}

/// Writes a valid data set and changes the bytes of one file.
fn edited(
    file: &'static str,
    edit: impl Fn(&mut Vec<u8>) + 'static,
    expected: &[&'static str],
) -> Case {
    damaged(move |data| super::edit(&data.join(file), &edit), expected)
}

/// Writes a valid data set with one file as .gz, whose bytes are changed.
fn zipped(edit: impl Fn(&mut Vec<u8>) + 'static, expected: &[&'static str]) -> Case {
    let damage = move |data: &Path| {
        let bytes = fs::read(data.join(IMAGES)).unwrap();
        fs::remove_file(data.join(IMAGES)).unwrap();
        let mut bytes = gzip(&bytes, 0);
        edit(&mut bytes);
        fs::write(data.join(format!("{IMAGES}.gz")), bytes).unwrap();
    };
    damaged(damage, expected)
}

/// Compresses the bytes and this many zeros after them.
fn gzip(bytes: &[u8], zeros: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    let block = vec![0; 1 << 20];
    for start in (0..zeros).step_by(block.len()) {
        encoder.write_all(&block[..block.len().min(zeros - start)]).unwrap();
    }
    encoder.finish().unwrap()
}

fn header(sizes: [u32; 3]) -> Vec<u8> {
    let sizes = sizes.iter().flat_map(|size| size.to_be_bytes());
    [0, 0, 8, 3].into_iter().chain(sizes).collect()
}

/// Replaces the images by a .gz that inflates to this many zeros.
fn endless(sizes: [u32; 3], zeros: usize, expected: &[&'static str]) -> Case {
    let damage = move |data: &Path| {
        fs::remove_file(data.join(IMAGES)).unwrap();
        fs::write(data.join(format!("{IMAGES}.gz")), gzip(&header(sizes), zeros)).unwrap();
    };
    damaged(damage, expected)
}

fn replaced(file: &'static str, make: impl Fn(&Path) + 'static, expected: &[&'static str]) -> Case {
    let damage = move |data: &Path| {
        let path = data.join(file);
        fs::remove_file(&path).unwrap();
        make(&path);
    };
    damaged(damage, expected)
}

/// Writes a valid data set with a known name and one changed label.
fn mislabelled(
    name: &'static str,
    file: &'static str,
    label: u8,
    expected: &[&'static str],
) -> Case {
    // The fifth label, after the header of 8 bytes.
    let case = edited(file, move |bytes| bytes[8 + 4] = label, expected);
    let arguments = vec!["train", "--data", "data", "--dataset", name];
    Case { arguments, ..case }
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
pub(super) fn cases() -> Vec<Case> {
    vec![
        edited(
            IMAGES,
            |bytes| bytes.truncate(1000),
            &["train-images-idx3-ubyte`: expected 23520 values", "found 984"],
        ),
        edited(
            IMAGES,
            Vec::clear,
            &["train-images-idx3-ubyte`: expected a header of 16 bytes, found 0 bytes"],
        ),
        edited(
            LABELS,
            Vec::clear,
            &["train-labels-idx1-ubyte`: expected a header of 8 bytes, found 0 bytes"],
        ),
        edited(
            IMAGES,
            |bytes| bytes.truncate(7),
            &["expected a header of 16 bytes, found 7 bytes"],
        ),
        edited(
            IMAGES,
            |bytes| bytes[..4].copy_from_slice(b"\x89PNG"),
            &["expected the magic bytes 00 00 08 03", "found 89 50 4e 47"],
        ),
        edited(
            IMAGES,
            |bytes| bytes[2] = 0x0d,
            &["expected the magic bytes 00 00 08 03", "found 00 00 0d 03"],
        ),
        edited(
            IMAGES,
            |bytes| bytes[3] = 1,
            &["expected the magic bytes 00 00 08 03", "found 00 00 08 01"],
        ),
        edited(
            LABELS,
            |bytes| bytes[3] = 3,
            &["expected the magic bytes 00 00 08 01", "found 00 00 08 03"],
        ),
        edited(
            IMAGES,
            |bytes| bytes[4..8].fill(0),
            &["expected dimensions above 0, found [0, 28, 28]"],
        ),
        edited(
            IMAGES,
            |bytes| bytes[12..16].fill(0),
            &["expected dimensions above 0, found [30, 28, 0]"],
        ),
        edited(
            IMAGES,
            |bytes| bytes[4..16].fill(255),
            &["expected at most 671088640 values, found dimensions [4294967295"],
        ),
        edited(
            IMAGES,
            |bytes| bytes[4..8].copy_from_slice(&[0, 10, 0, 0]),
            &["expected 513802240 values", "found 23520"],
        ),
        edited(
            IMAGES,
            |bytes| bytes.push(1),
            &["expected 23520 values for dimensions [30, 28, 28], found more"],
        ),
        edited(
            LABELS,
            |bytes| bytes.push(1),
            &["expected 30 values for dimensions [30], found more"],
        ),
        edited(
            LABELS,
            |bytes| {
                bytes.pop();
                bytes[7] = 29;
            },
            &["train-labels-idx1-ubyte` has 29 labels for 30 images"],
        ),
        edited(
            "t10k-images-idx3-ubyte",
            |bytes| bytes[8..16].copy_from_slice(&[0, 0, 0, 14, 0, 0, 0, 56]),
            &["`data` has test images of 14x56, expected 28x28"],
        ),
        mislabelled(
            "fashion-mnist",
            LABELS,
            37,
            &[
                "`data/train-labels-idx1-ubyte`: expected labels below 10, found 37 at position 4",
                "fashion-mnist has 10 classes",
                "--dataset NAME",
            ],
        ),
        mislabelled(
            "mnist",
            "t10k-labels-idx1-ubyte",
            255,
            &["`data/t10k-labels-idx1-ubyte`: expected labels below 10, found 255 at position 4"],
        ),
        mislabelled(
            "fashion-mnist-sample",
            LABELS,
            10,
            &["`data/train-labels-idx1-ubyte`: expected labels below 10, found 10 at position 4"],
        ),
        Case {
            arguments: [&TRAIN[..], &["--set", "model.classes=2"]].concat(),
            ..damaged(
                |_| {},
                &[
                    "the data set `shapes` in `data` has 1 channel(s) and 3 classes, the network \
                     expects 1 channel(s) and 2 classes",
                    "a recipe without `model.classes`",
                ],
            )
        },
        damaged(
            |data| fs::remove_file(data.join(LABELS)).unwrap(),
            &["`data` has no file `train-labels-idx1-ubyte`, plain or .gz"],
        ),
        damaged(|data| fs::remove_dir_all(data).unwrap(), &["cannot read `data`", "No such file"]),
        damaged(
            |data| {
                fs::remove_dir_all(data).unwrap();
                fs::write(data, "text").unwrap();
            },
            &["cannot read `data`", "not a directory"],
        ),
        replaced(
            IMAGES,
            |path| fs::create_dir(path).unwrap(),
            &["train-images-idx3-ubyte`: expected a file, found a folder"],
        ),
        replaced(
            LABELS,
            |path| symlink("nowhere", path).unwrap(),
            &["cannot read `data/train-labels-idx1-ubyte`", "No such file"],
        ),
        replaced(
            LABELS,
            |path| symlink("train-labels-idx1-ubyte", path).unwrap(),
            &["cannot read `data/train-labels-idx1-ubyte`"],
        ),
        replaced(
            IMAGES,
            |path| symlink("/dev/zero", path).unwrap(),
            &["train-images-idx3-ubyte`: expected a file, found a pipe or a device"],
        ),
        unreadable(),
        zipped(
            |bytes| bytes.truncate(100),
            &["train-images-idx3-ubyte.gz`: expected a complete gzip file"],
        ),
        zipped(
            |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle..middle + 8].fill(0xff);
            },
            &["train-images-idx3-ubyte.gz`: expected"],
        ),
        zipped(
            |bytes| {
                let last = bytes.len() - 5;
                bytes[last] ^= 1;
            },
            &["train-images-idx3-ubyte.gz`: expected a complete gzip file"],
        ),
        zipped(
            |bytes| bytes.extend(b"more"),
            &["train-images-idx3-ubyte.gz`: expected a complete gzip file"],
        ),
        endless(
            [1, 28, 28],
            1 << 30,
            &["expected 784 values for dimensions [1, 28, 28], found more"],
        ),
        endless([850_000, 28, 28], 1 << 30, &["expected 666400000 values", "found more"]),
        endless([850_000, 28, 28], 1 << 28, &["expected 666400000 values", "found 268435456"]),
        Case::new(
            &["train", "--dataset", "fashion"],
            &["the data set `fashion` was not found in", "put its four files into"],
        ),
        Case::new(
            &["train", "--dataset", "../etc"],
            &["invalid data set name `../etc`: expected a folder name"],
        ),
        Case::new(
            &["train", "--dataset", ""],
            &["invalid data set name ``: expected a folder name"],
        ),
        damaged_cache(),
    ]
}

/// Writes a known data set with other content into the cache folder.
fn damaged_cache() -> Case {
    let prepare = |folder: &Path| {
        let data = folder.join("cache/nin/fashion-mnist");
        fs::create_dir_all(&data).unwrap();
        write_shapes(&data, 28, 30, 9);
    };
    Case::after(
        prepare,
        &["train", "--dataset", "fashion-mnist"],
        &["train-images-idx3-ubyte`: expected SHA-256", "to use other content on purpose"],
    )
}

fn unreadable() -> Case {
    let forbid = |data: &Path| {
        fs::set_permissions(data.join(IMAGES), fs::Permissions::from_mode(0o000)).unwrap();
    };
    let expected = ["cannot read `data/train-images-idx3-ubyte`", "Permission denied"];
    Case { as_ordinary_user: true, ..damaged(forbid, &expected) }
}
