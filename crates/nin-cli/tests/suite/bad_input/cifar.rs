//! Files in CIFAR's binary format.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::Case;
use crate::colour::write_cifar;

const TRAIN: [&str; 7] =
    ["train", "--config", "paper-cifar10", "--data", "data", "--progress", "none"];
const RECORD: usize = 3073;

/// Writes a valid data set to `data`, then damages it.
fn damaged(damage: impl Fn(&Path) + 'static, expected: &[&'static str]) -> Case {
    Case::damaged(write_cifar, damage, &TRAIN, expected)
}

/// Writes a valid data set and changes the bytes of one file.
fn edited(
    file: &'static str,
    edit: impl Fn(&mut Vec<u8>) + 'static,
    expected: &[&'static str],
) -> Case {
    damaged(move |data| super::edit(&data.join(file), &edit), expected)
}

/// Returns this many zeros, compressed.
fn zeros(mebibytes: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let block = vec![0; 1 << 20];
    for _ in 0..mebibytes {
        encoder.write_all(&block).unwrap();
    }
    encoder.finish().unwrap()
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
pub(super) fn cases() -> Vec<Case> {
    vec![
        edited(
            "data_batch_1.bin",
            Vec::clear,
            &["data_batch_1.bin`: expected records of 3073 bytes, found 0 bytes"],
        ),
        edited(
            "data_batch_3.bin",
            |bytes| bytes.truncate(2 * RECORD + 5),
            &["data_batch_3.bin`: expected records of 3073 bytes, found 6151 bytes", "again"],
        ),
        edited(
            "test_batch.bin",
            |bytes| bytes.push(1),
            &["test_batch.bin`: expected records of 3073 bytes, found 122921 bytes"],
        ),
        edited(
            "data_batch_5.bin",
            |bytes| bytes[4 * RECORD] = 10,
            &["data_batch_5.bin`: expected a label below 10 in record 5, found 10"],
        ),
        // CIFAR-100's records under CIFAR-10's name.
        edited(
            "data_batch_2.bin",
            |bytes| {
                let record = [vec![9, 99], vec![128; 3072]].concat();
                *bytes = record.repeat(2);
            },
            &["data_batch_2.bin`: expected a label below 10 in record 2, found 128"],
        ),
        edited(
            "data_batch_4.bin",
            |bytes| *bytes = b"\x89PNG\r\n\x1a\n".repeat(1000),
            &["data_batch_4.bin`: expected a label below 10 in record 1, found 137"],
        ),
        damaged(
            |data| fs::remove_file(data.join("data_batch_4.bin")).unwrap(),
            &["`data` has no file `data_batch_4.bin`, plain or .gz", "CIFAR-10 is six files"],
        ),
        damaged(
            |data| {
                fs::remove_dir_all(data).unwrap();
                fs::create_dir(data).unwrap();
            },
            &["`data` has no file `data_batch_1.bin`", "CIFAR-10 is six files"],
        ),
        damaged(
            |data| {
                fs::remove_dir_all(data).unwrap();
                fs::create_dir(data).unwrap();
                fs::write(data.join("train.bin"), [vec![1, 2], vec![0; 3072]].concat()).unwrap();
            },
            &["`data` has no file `test.bin`", "CIFAR-100 is two files"],
        ),
        damaged(
            |data| {
                fs::remove_file(data.join("test_batch.bin")).unwrap();
                symlink("/dev/zero", data.join("test_batch.bin")).unwrap();
            },
            &["test_batch.bin`: expected a file, found a pipe or a device"],
        ),
        damaged(
            |data| {
                fs::remove_file(data.join("test_batch.bin")).unwrap();
                symlink("nowhere", data.join("test_batch.bin")).unwrap();
            },
            &["cannot read `data/test_batch.bin`", "No such file"],
        ),
        // A megabyte that unpacks to a gigabyte of images of class 0.
        edited(
            "data_batch_5.bin",
            |bytes| *bytes = zeros(1 << 10),
            &["data_batch_5.bin`: expected at most 218453 records in all, found more"],
        ),
        edited(
            "data_batch_5.bin",
            |bytes| *bytes = zeros(4)[..3000].to_vec(),
            &["data_batch_5.bin`: expected a complete gzip file"],
        ),
        damaged(
            |data| fs::write(data.join("batches.meta.txt"), "cat\ndog\n").unwrap(),
            &["batches.meta.txt`: expected 10 names, one per line, found 2"],
        ),
        damaged(
            |data| fs::write(data.join("batches.meta.txt"), [0xff; 40]).unwrap(),
            &["batches.meta.txt`: expected names in UTF-8, found an invalid byte at 0"],
        ),
        damaged(
            |data| fs::write(data.join("batches.meta.txt"), vec![b'\n'; 1 << 21]).unwrap(),
            &["batches.meta.txt`: expected at most 1048576 bytes of names, found more"],
        ),
        Case::new(
            &["train", "--config", "paper-cifar10"],
            &["the data set `cifar10` was not found in", "www.cs.toronto.edu/~kriz/cifar.html"],
        ),
        Case::new(
            &["data", "fetch", "cifar10"],
            &["cannot fetch the data set `cifar10`", "www.cs.toronto.edu/~kriz/cifar.html"],
        ),
        Case::new(
            &["train", "--config", "paper-cifar10", "--dataset", "fashion-mnist-sample"],
            &["has 1 channel(s) and 10 classes", "expects 3 channel(s)"],
        ),
    ]
}
