//! Generated folders in CIFAR's binary version: content, lookup and errors.

use std::fs;
use std::path::Path;

use burn_flex::{Flex, FlexDevice};
use nin_data::{
    Augmentation, CIFAR10, CIFAR100, DataError, DataSet, Locations, OrderedLoader, sha256,
};

const PIXELS: usize = 3 * 32 * 32;
const TRAIN_FILES: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];

/// An image whose planes are flat and depend on `number`.
fn planes(number: u8) -> Vec<u8> {
    [number, number.wrapping_add(100), number.wrapping_add(200)]
        .into_iter()
        .flat_map(|value| [value; 1024])
        .collect()
}

fn ten(numbers: &[u8]) -> Vec<u8> {
    numbers.iter().flat_map(|&number| [vec![number % 10], planes(number)].concat()).collect()
}

/// Writes two training images per file, 0 to 9, and three test images, 10 to 12.
fn write_ten(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (at, file) in TRAIN_FILES.iter().enumerate() {
        fs::write(folder.join(file), ten(&[2 * at as u8, 2 * at as u8 + 1])).unwrap();
    }
    fs::write(folder.join("test_batch.bin"), ten(&[10, 11, 12])).unwrap();
}

fn open(name: &str, folder: &Path) -> Result<DataSet, DataError> {
    DataSet::open(name, Some(folder), &Locations::default())
}

#[test]
fn the_five_files_form_one_training_set_in_order() {
    let root = tempfile::tempdir().unwrap();
    write_ten(root.path());
    let data = open(CIFAR10, root.path()).unwrap();
    assert_eq!((data.train.len(), data.test.len(), data.train.channels()), (10, 3, 3));
    assert_eq!(data.train.image_size(), Some([32, 32]));
    assert_eq!(data.train.labels(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (part, index, first, label) in [(&data.train, 7, 7, 7), (&data.test, 2, 12, 2)] {
        let image = part.image(index).unwrap();
        assert_eq!((&image.pixels[..], image.label), (&planes(first)[..], label));
    }
    assert_eq!((data.class_names.len(), data.class_names[9].as_str()), (10, "truck"));
    let first = &data.checksums[0];
    assert_eq!((first.name.as_str(), first.known), (TRAIN_FILES[0], None));
    assert_eq!(first.sha256, sha256(&ten(&[0, 1])));

    // Also found in the subfolder of the archive, under any name, and compressed.
    let inner = root.path().join("mine/cifar-10-batches-bin");
    write_ten(&inner);
    fs::rename(inner.join("data_batch_3.bin"), inner.join("data_batch_3.bin.gz")).unwrap();
    let names: Vec<_> = (0..10).map(|class| format!("class {class}")).collect();
    fs::write(inner.join("batches.meta.txt"), names.join("\n") + "\n\n").unwrap();
    let locations = Locations { own: Some(root.path().to_owned()), ..Locations::default() };
    let mine = DataSet::open("mine", None, &locations).unwrap();
    assert_eq!(mine.train.labels(), data.train.labels());
    assert_eq!((mine.class_names[3].as_str(), mine.checksums.len()), ("class 3", 7));
}

#[test]
fn cifar_100_has_the_fine_classes() {
    let root = tempfile::tempdir().unwrap();
    let record = |coarse, fine| [vec![coarse, fine], planes(fine)].concat();
    fs::write(root.path().join("train.bin"), [record(19, 99), record(0, 3)].concat()).unwrap();
    fs::write(root.path().join("test.bin"), record(1, 7)).unwrap();
    let data = open(CIFAR100, root.path()).unwrap();
    assert_eq!((data.train.labels(), data.test.labels()), (&[99, 3][..], &[7][..]));
    assert_eq!((data.class_names.len(), data.class_names[99].as_str()), (100, "99"));
}

#[test]
fn batches_of_three_channels_do_not_depend_on_workers() {
    let root = tempfile::tempdir().unwrap();
    write_ten(root.path());
    let data = open(CIFAR10, root.path()).unwrap();
    let batches = |workers, augmentation| -> Vec<Vec<f32>> {
        let loader = OrderedLoader::<Flex>::shuffled(data.train.clone(), 4, 3, &FlexDevice)
            .with_size([8, 8])
            .with_augmentation(augmentation)
            .with_workers(workers);
        let batches = loader.epoch(1, 0).map(|batch| {
            let batch = batch.unwrap();
            assert_eq!(batch.images.dims()[1..], [3, 8, 8]);
            (batch.images.into_data().to_vec().unwrap(), batch.indices)
        });
        let checked = batches.map(|(values, indices): (Vec<f32>, Vec<usize>)| {
            for (image, &index) in values.chunks_exact(3 * 64).zip(&indices) {
                if augmentation.is_none() {
                    let plane = |at: usize| image[at * 64..(at + 1) * 64].to_vec();
                    let value = |number: usize| vec![number as f32 / 255.0; 64];
                    assert_eq!([0, 1, 2].map(plane), [0, 100, 200].map(|add| value(index + add)));
                }
            }
            values
        });
        checked.collect()
    };
    let all = Augmentation { flip: true, shift: 4, erase: 0.5, ..Augmentation::default() };
    for augmentation in [Augmentation::default(), all] {
        let alone = batches(0, augmentation);
        assert_eq!(alone.len(), 3);
        assert_eq!(batches(3, augmentation), alone);
    }
}

#[test]
fn errors_say_what_was_expected_and_found() {
    type Damage = fn(&Path);
    let cases: [(&str, &str, Damage); 6] = [
        ("has no file `data_batch_4.bin`", "six files", |folder| {
            fs::remove_file(folder.join("data_batch_4.bin")).unwrap();
        }),
        ("test_batch.bin`: expected records of 3073 bytes, found 3072", "again", |folder| {
            fs::write(folder.join("test_batch.bin"), &ten(&[1])[1..]).unwrap();
        }),
        ("data_batch_2.bin`: expected a label below 10 in record 2, found 11", "again", |folder| {
            let mut records = ten(&[1, 2]);
            records[1 + PIXELS] = 11;
            fs::write(folder.join("data_batch_2.bin"), records).unwrap();
        }),
        ("data_batch_1.bin`: expected records of 3073 bytes, found 0", "again", |folder| {
            fs::write(folder.join("data_batch_1.bin"), b"").unwrap();
        }),
        ("expected a file, found a folder", "again", |folder| {
            fs::remove_file(folder.join("test_batch.bin")).unwrap();
            fs::create_dir(folder.join("test_batch.bin")).unwrap();
        }),
        ("batches.meta.txt`: expected 10 names, one per line, found 2", "again", |folder| {
            fs::write(folder.join("batches.meta.txt"), "cat\ndog\n").unwrap();
        }),
    ];
    for (expected, hint, damage) in cases {
        let root = tempfile::tempdir().unwrap();
        write_ten(root.path());
        damage(root.path());
        let error = open(CIFAR10, root.path()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error} should say {expected}");
        assert!(error.hint().contains(hint), "{} should say {hint}", error.hint());
    }
}

#[test]
fn a_missing_data_set_has_a_hint_where_to_get_it() {
    let root = tempfile::tempdir().unwrap();
    let error = open(CIFAR10, root.path()).unwrap_err();
    assert!(matches!(error, DataError::MissingFile { name: "data_batch_1.bin", .. }), "{error}");
    let locations = Locations { own: Some(root.path().to_owned()), ..Locations::default() };
    let error = DataSet::open(CIFAR100, None, &locations).unwrap_err();
    assert!(error.hint().contains("cs.toronto.edu"), "{}", error.hint());
}
