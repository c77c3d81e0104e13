//! IDX files under other common names, and IDX files with other content.

use std::fs;
use std::path::Path;

use crate::program::{nin, write_shapes};
use crate::workshop::words;

const LINE: &str = "train --data data --backend flex --epochs 1 --progress none --no-report \
                    --batch-size 20 --dataset";

type Rename<'a> = &'a dyn Fn(&str) -> String;

/// Writes shapes under other file names.
fn write(root: &Path, inner: &str, rename: impl Fn(&str) -> String) {
    let folder = root.join("data").join(inner);
    fs::create_dir_all(&folder).unwrap();
    write_shapes(&folder, 28, 60, 20);
    for part in ["train", "t10k"] {
        for kind in ["images-idx3", "labels-idx1"] {
            let name = format!("{part}-{kind}-ubyte");
            fs::rename(folder.join(&name), folder.join(rename(&name))).unwrap();
        }
    }
}

#[test]
fn idx_files_are_found_under_other_names_and_in_subfolders() {
    let same = |name: &str| name.to_owned();
    let dots = |name: &str| name.replace("-idx", ".idx");
    let emnist = |name: &str| format!("emnist-letters-{}", name.replace("t10k", "test"));
    let cases: [(&str, Rename<'_>, &str); 4] = [
        ("", &dots, "any"),
        ("", &emnist, "any"),
        ("MNIST/raw", &same, "any"),
        ("raw", &emnist, "any"),
    ];
    for (inner, rename, dataset) in cases {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), inner, rename);
        let line = format!("{LINE} {dataset} --run run");
        let finished = nin(root.path(), &words(&line)).ok();
        let names = rename("train-images-idx3-ubyte");
        assert!(finished.stdout.contains("test acc"), "{inner} {names}: {}", finished.stderr);
        let line = "eval --checkpoint run --data data --format json --backend flex";
        assert_eq!(nin(root.path(), &words(line)).json()["images"], 20);
    }
}

#[test]
fn the_name_selects_one_of_several_data_sets_in_a_folder() {
    let root = tempfile::tempdir().unwrap();
    for set in ["letters", "digits"] {
        write(root.path(), "", |name| format!("emnist-{set}-{}", name.replace("t10k", "test")));
    }
    let finished = nin(root.path(), &words(&format!("{LINE} mine --run run")));
    assert_eq!(finished.code, Some(1));
    for part in [
        "error: `data` holds several data sets: emnist-digits, emnist-letters",
        "hint: select one by its name",
        "(--dataset NAME)",
    ] {
        assert!(finished.stderr.contains(part), "{part}: {}", finished.stderr);
    }
    nin(root.path(), &words(&format!("{LINE} emnist-letters --run run"))).ok();
}

#[test]
fn float_and_colour_idx_files_are_errors_with_a_hint() {
    for (kind, dimensions, found) in [
        (0x0d, 3, "00 00 0d 03 of 3 dimension(s) of 32-bit floats"),
        (0x08, 4, "00 00 08 04 of 4 dimension(s) of unsigned bytes"),
        (0x0c, 3, "00 00 0c 03 of 3 dimension(s) of 32-bit integers"),
    ] {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "", str::to_owned);
        let path = root.path().join("data/train-images-idx3-ubyte");
        let mut bytes = fs::read(&path).unwrap();
        (bytes[2], bytes[3]) = (kind, dimensions);
        fs::write(&path, bytes).unwrap();
        let finished = nin(root.path(), &words(&format!("{LINE} mine --run run")));
        assert_eq!(finished.code, Some(1));
        for part in [found, "hint: write grey images as unsigned bytes"] {
            assert!(finished.stderr.contains(part), "{part}: {}", finished.stderr);
        }
        assert!(!finished.stderr.contains("fetch"), "{}", finished.stderr);
    }
}
