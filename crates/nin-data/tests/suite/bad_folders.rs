//! Invalid data set folders: errors say what was expected, what was found and what to do.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nin_data::{DataError, DataSet, FASHION_MNIST, FASHION_MNIST_SAMPLE, Locations, MNIST};

const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";

fn idx(sizes: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(values);
    bytes
}

/// Writes two 2x2 images for training and two for testing.
fn write_whole(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for split in ["train", "t10k"] {
        let write = |name: &str, bytes| fs::write(folder.join(split.to_owned() + name), bytes);
        write("-images-idx3-ubyte", idx(&[2, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8])).unwrap();
        write("-labels-idx1-ubyte", idx(&[2], &[0, 1])).unwrap();
    }
}

fn open(folder: &Path) -> Result<DataSet, DataError> {
    DataSet::open("own", Some(folder), &Locations::default())
}

fn chain(error: &DataError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {source}")
}

#[test]
fn errors_say_what_was_expected_and_found() {
    type Damage = fn(&Path);
    let cases: [(&str, Damage); 9] = [
        ("has 3 labels for 2 images", |folder| {
            fs::write(folder.join(LABELS), idx(&[3], &[0, 1, 1])).unwrap();
        }),
        ("has test images of 2x2, expected 1x4 like the training images", |folder| {
            fs::write(folder.join(IMAGES), idx(&[2, 1, 4], &[0; 8])).unwrap();
        }),
        ("has no file `train-labels-idx1-ubyte`", |folder| {
            fs::remove_file(folder.join(LABELS)).unwrap();
        }),
        ("expected a file, found a folder", |folder| {
            fs::remove_file(folder.join(LABELS)).unwrap();
            fs::create_dir(folder.join(LABELS)).unwrap();
        }),
        ("No such file", |folder| {
            fs::remove_file(folder.join(LABELS)).unwrap();
            symlink("nowhere", folder.join(LABELS)).unwrap();
        }),
        ("found 0 bytes", |folder| fs::write(folder.join(IMAGES), b"").unwrap()),
        ("magic bytes 00 00 08 03", |folder| {
            fs::copy(folder.join(LABELS), folder.join(IMAGES)).unwrap();
            fs::write(folder.join(IMAGES), idx(&[1], &[0; 20])).unwrap();
        }),
        ("No such file", |folder| fs::remove_dir_all(folder).unwrap()),
        ("not a directory", |folder| {
            fs::remove_dir_all(folder).unwrap();
            fs::write(folder, b"").unwrap();
        }),
    ];
    for (expected, damage) in cases {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("own");
        write_whole(&folder);
        assert_eq!(open(&folder).unwrap().class_names, ["0", "1"]);
        damage(&folder);
        let error = open(&folder).unwrap_err();
        let said = chain(&error);
        assert!(said.contains(expected), "{said} should say {expected}");
        assert!(said.contains(&folder.display().to_string()), "{said} should name the file");
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn a_known_name_limits_the_labels_and_any_other_name_follows_them() {
    let root = tempfile::tempdir().unwrap();
    for labels in [LABELS, "t10k-labels-idx1-ubyte"] {
        let folder = root.path().join(labels);
        write_whole(&folder);
        fs::write(folder.join(labels), idx(&[2], &[9, 10])).unwrap();
        for name in [FASHION_MNIST, FASHION_MNIST_SAMPLE, MNIST] {
            match DataSet::open(name, Some(&folder), &Locations::default()) {
                Err(DataError::Label { path, position: 1, classes: 10, found: 10, .. }) => {
                    assert_eq!(path, folder.join(labels));
                }
                other => panic!("{name}: {other:?}"),
            }
        }
        let own = open(&folder).unwrap();
        assert_eq!((own.class_names.len(), own.folder), (11, Some(folder)));
    }
}

#[test]
fn an_unreadable_file_is_not_reported_as_missing() {
    let root = tempfile::tempdir().unwrap();
    write_whole(root.path());
    fs::set_permissions(root.path().join(LABELS), PermissionsExt::from_mode(0o000)).unwrap();
    match open(root.path()) {
        Err(error @ DataError::Read { .. }) => {
            assert!(chain(&error).contains("ermission"), "{}", chain(&error));
        }
        Ok(_) => println!("skipped: this user (root) can read every file"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn an_empty_folder_does_not_hide_the_next_one() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("cache/own")).unwrap();
    write_whole(&root.path().join("system/own"));
    let locations = Locations {
        own: None,
        cache: Some(root.path().join("cache")),
        system: Some(root.path().join("system")),
    };
    assert_eq!(DataSet::open("own", None, &locations).unwrap().train.len(), 2);

    // An incomplete data set does not make the search continue.
    fs::write(root.path().join("cache/own").join(LABELS), idx(&[2], &[0, 1])).unwrap();
    let error = DataSet::open("own", None, &locations).unwrap_err();
    assert!(matches!(error, DataError::MissingFile { name: IMAGES, .. }), "{error}");
}

#[test]
fn own_cache_and_system_are_searched_in_order_unless_a_folder_is_given() {
    let root = tempfile::tempdir().unwrap();
    let place = |name: &str| Some(root.path().join(name));
    let locations = Locations { own: place("1"), cache: place("2"), system: place("3") };
    for place in ["3", "2", "1"] {
        let folder = root.path().join(place).join("own");
        write_whole(&folder);
        // The first training image tells the folders apart.
        let first = place.as_bytes()[0];
        fs::write(folder.join(IMAGES), idx(&[2, 2, 2], &[first; 8])).unwrap();
        let found = DataSet::open("own", None, &locations).unwrap();
        assert_eq!(found.train.image(0).unwrap().pixels[0], first);
        assert!(found.checksums.iter().all(|checksum| checksum.known.is_none()));
    }
    let elsewhere = root.path().join("elsewhere");
    assert!(DataSet::open("own", Some(&elsewhere), &locations).is_err());
}

#[test]
fn a_name_must_not_be_a_path() {
    let locations = Locations { own: Some("/".into()), ..Locations::default() };
    for name in ["", ".", "..", "a/b", "/etc", "../own"] {
        let error = DataSet::open(name, None, &locations).unwrap_err();
        assert!(matches!(error, DataError::Name { .. }), "{name}: {error}");
        assert!(error.hint().contains("fashion-mnist-sample"));
    }
}

#[test]
fn a_missing_data_set_has_a_hint_with_package_folder_and_sample() {
    let locations = Locations {
        own: None,
        cache: Some("/nowhere/cache".into()),
        system: Some("/nowhere/system".into()),
    };
    let error = DataSet::open(FASHION_MNIST, None, &locations).unwrap_err();
    let (said, hint) = (error.to_string(), error.hint());
    assert!(said.contains("/nowhere/cache/fashion-mnist, /nowhere/system/fashion-mnist"), "{said}");
    // The hint must not name the system folder, which users cannot write to.
    for part in
        ["dataset-fashion-mnist", "into /nowhere/cache/fashion-mnist", "fashion-mnist-sample"]
    {
        assert!(hint.contains(part), "{hint} should name {part}");
    }
}
