//! Folders of pictures: opened, split, cached and loaded.

use std::fs;
use std::path::Path;

use burn::data::dataloader::DataLoader;
use burn_flex::{Flex, FlexDevice};
use image::{GrayImage, RgbImage};
use nin_data::{
    Augmentation, BurnLoader, CacheOptions, ColourJitter, DataError, DataSet, ImageBatch,
    ImageDataset, Inventory, Listing, OnBadPicture, OrderedLoader, Part, Picture, PictureLayout,
    PictureOptions, Problem,
};
use nin_preprocessing::{Fit, Preprocessing};

/// Writes a picture whose pixels depend on `number`, in the format of the file extension.
fn draw(path: &Path, number: u32, [height, width]: [u32; 2]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let value = |x: u32, y: u32, plane: u32| ((x * 7 + y * 5) * (plane + 1) + number * 31) as u8;
    let pixel = |x, y| image::Rgb([0, 1, 2].map(|plane| value(x, y, plane)));
    let mut picture = RgbImage::from_fn(width, height, pixel);
    let [low, middle, high, _] = number.to_le_bytes();
    picture.put_pixel(0, 0, image::Rgb([low, middle, high]));
    picture.save(path).unwrap();
}

/// Writes three classes of 20 pictures, with various sizes, formats and aspect ratios.
fn photos() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for class in ["ant", "bee", "cat"] {
        for number in 0..20 {
            let ending = ["png", "jpg", "webp"][number as usize % 3];
            let path = root.path().join(class).join(format!("{number:02}.{ending}"));
            let seed = number * 3 + u32::from(class.as_bytes()[0]);
            draw(&path, seed, [10 + number * 3 % 50, 12 + number * 7 % 60]);
        }
    }
    root
}

fn options(cache: Option<&Path>) -> PictureOptions<'static> {
    PictureOptions {
        input_size: [8, 8],
        threads: 2,
        cache: cache.map(|folder| CacheOptions { folder: folder.to_owned(), limit: 1 << 30 }),
        ..PictureOptions::default()
    }
}

fn open(root: &Path, cache: Option<&Path>) -> Result<DataSet, DataError> {
    DataSet::open_pictures("photos", root, &options(cache))
}

/// The values and labels of all batches in two epochs.
fn epochs(images: &ImageDataset, workers: usize) -> Vec<(Vec<f32>, Vec<usize>)> {
    let augmentation = Augmentation {
        flip: true,
        crop: Some(0.3),
        rotation: 20.0,
        colour: ColourJitter { brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.1 },
        ..Augmentation::default()
    };
    let loader = OrderedLoader::<Flex>::shuffled(images.clone(), 7, 3, &FlexDevice)
        .with_preprocessing(fitted(Fit::Crop))
        .with_augmentation(augmentation)
        .with_workers(workers);
    let read = |batch: ImageBatch<Flex>| (batch.images.into_data().to_vec().unwrap(), batch.labels);
    [1, 2]
        .into_iter()
        .flat_map(|epoch| loader.epoch(epoch, 0))
        .map(Result::unwrap)
        .map(read)
        .collect()
}

#[test]
fn class_folders_are_split_by_content_and_load_the_same_with_any_cache_and_workers() {
    let root = photos();
    let cache = tempfile::tempdir().unwrap();
    let plain = open(root.path(), None).unwrap();
    assert_eq!(plain.class_names, ["ant", "bee", "cat"]);
    let pictures = plain.pictures.as_ref().unwrap();
    assert_eq!(pictures.layout, PictureLayout::ClassFolders);
    assert!(pictures.is_split_by_content && pictures.warnings.is_empty());
    let lengths = Part::ALL.map(|part| plain.part(part).len());
    assert_eq!(lengths.iter().sum::<usize>(), 60);
    for part in Part::ALL {
        for class in 0..3 {
            assert!(plain.part(part).labels().contains(&class), "{part:?} {class}");
        }
    }

    let expected = epochs(&plain.train, 0);
    assert_ne!(expected[0], expected[expected.len() / 2]);
    for (attempt, workers) in [1, 3, 0].into_iter().enumerate() {
        let cached = open(root.path(), Some(cache.path())).unwrap();
        assert_eq!(cached.checksums, plain.checksums);
        assert_eq!(epochs(&cached.train, workers), expected, "{attempt}");
    }
    // Damaged cache entries are decoded again.
    let file = fs::read_dir(cache.path()).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    for at in (200..bytes.len()).step_by(500) {
        bytes[at] ^= 0x55;
    }
    fs::write(&file, bytes).unwrap();
    let cached = open(root.path(), Some(cache.path())).unwrap();
    assert_eq!(epochs(&cached.train, 2), expected);
}

fn fitted(fit: Fit) -> Preprocessing {
    Preprocessing { fit: Some(fit), ..Preprocessing::resized([8, 8]) }
}

#[test]
fn a_loaded_picture_equals_the_decoded_one_reduced_and_fitted() {
    let root = photos();
    let data = open(root.path(), None).unwrap();
    for fit in Fit::ALL {
        let loader = OrderedLoader::<Flex>::in_order(data.test.clone(), 4, &FlexDevice)
            .with_preprocessing(fitted(fit));
        for index in 0..data.test.len() {
            let path = root.path().join(data.test.file_name(index).unwrap());
            let picture = Picture::decode(&fs::read(path).unwrap()).unwrap().into_colour();
            let expected = picture.fitted(&fitted(fit)).planes.concat();
            assert_eq!(loader.pixels(&[index]).unwrap(), expected);
        }
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_a_warning() {
    let root = photos();
    let file = tempfile::NamedTempFile::new().unwrap();
    let data = open(root.path(), Some(&file.path().join("no folder"))).unwrap();
    let warnings = &data.pictures.as_ref().unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("decoded each epoch"), "{warnings:?}");
    assert_eq!(epochs(&data.train, 1), epochs(&open(root.path(), None).unwrap().train, 0));
}

#[test]
fn damaged_pictures_are_named_and_never_used() {
    let root = photos();
    let whole = fs::read(root.path().join("ant/00.png")).unwrap();
    fs::write(root.path().join("ant/cut.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(root.path().join("bee/empty.jpg"), b"").unwrap();
    fs::write(root.path().join("cat/text.png"), b"no picture").unwrap();
    let error = open(root.path(), None).unwrap_err();
    let said = error.to_string();
    for name in ["ant/cut.png", "bee/empty.jpg", "cat/text.png", "3 pictures cannot be used"] {
        assert!(said.contains(name), "{said} should name {name}");
    }
    assert!(error.hint().contains("data.on_bad_picture=skip"));

    let cache = tempfile::tempdir().unwrap();
    for cache in [None, Some(cache.path()), Some(cache.path())] {
        let skipping = PictureOptions { on_bad_picture: OnBadPicture::Skip, ..options(cache) };
        let data = DataSet::open_pictures("photos", root.path(), &skipping).unwrap();
        let bad = &data.pictures.as_ref().unwrap().bad;
        let names: Vec<&str> = bad.iter().map(|bad| bad.path.as_str()).collect();
        assert_eq!(names, ["ant/cut.png", "bee/empty.jpg", "cat/text.png"]);
        let count: usize = Part::ALL.iter().map(|part| data.part(*part).len()).sum();
        assert_eq!((count, data.bad_pictures()), (60, 3));
    }
}

#[test]
fn a_changed_or_deleted_picture_ends_the_epoch_with_an_error_that_names_it() {
    for workers in [0, 2] {
        let root = photos();
        let data = open(root.path(), None).unwrap();
        let name = data.train.file_name(5).unwrap().to_owned();
        draw(&root.path().join(&name), 999, [9, 9]);
        let loader = OrderedLoader::<Flex>::in_order(data.train.clone(), 2, &FlexDevice)
            .with_size([8, 8])
            .with_workers(workers);
        let mut batches = loader.epoch(1, 0).skip(2);
        let error = batches.next().unwrap().unwrap_err();
        assert!(matches!(error, DataError::PictureChanged { .. }), "{error}");
        assert!(error.to_string().contains(&name) && batches.next().is_none());

        let burn = BurnLoader::new(loader.clone());
        assert_eq!(burn.iter().count(), 2);
        assert!(matches!(burn.take_failure(), Some(DataError::PictureChanged { .. })));
        assert!(burn.take_failure().is_none());

        fs::remove_file(root.path().join(&name)).unwrap();
        let error = loader.epoch(1, 2).next().unwrap().unwrap_err();
        assert!(matches!(error, DataError::Read { .. }), "{error}");
    }
}

#[test]
fn pictures_have_one_channel_unless_any_is_in_colour() {
    let root = tempfile::tempdir().unwrap();
    for (class, number) in (0..8).map(|number| (["a", "b"][number % 2], number)) {
        let path = root.path().join(class).join(format!("{number}.png"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        GrayImage::from_fn(5, 4, |x, y| image::Luma([(x * 40 + y + number as u32) as u8]))
            .save(path)
            .unwrap();
    }
    assert_eq!(open(root.path(), None).unwrap().train.channels(), 1);
    draw(&root.path().join("a/colour.png"), 3, [4, 5]);
    assert_eq!(open(root.path(), None).unwrap().train.channels(), 3);
    let grey = PictureOptions { channels: 1, ..options(None) };
    let data = DataSet::open_pictures("grey", root.path(), &grey).unwrap();
    assert_eq!(data.train.channels(), 1);
}

#[test]
fn parts_come_from_folders_or_from_a_table() {
    let root = photos();
    let parts = tempfile::tempdir().unwrap();
    for (from, to) in [("ant", "train/ant"), ("bee", "train/bee"), ("cat", "val/ant")] {
        let to = parts.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::rename(root.path().join(from), to).unwrap();
    }
    let data = open(parts.path(), None).unwrap();
    assert_eq!(Part::ALL.map(|part| data.part(part).len()), [40, 20, 0]);
    assert!(!data.pictures.as_ref().unwrap().is_split_by_content && !data.is_tested_at_the_end());
    assert!(data.check_trainable().is_ok());

    let rows = "path,label,split\ntrain/ant/00.png,Ä,train\ntrain/bee/00.png,b,val\n\
                train/bee/03.png,Ä,test\n";
    fs::write(parts.path().join("labels.csv"), rows).unwrap();
    let data = open(parts.path(), None).unwrap();
    assert_eq!(data.class_names, ["b", "Ä"]);
    assert_eq!(Part::ALL.map(|part| data.part(part).len()), [1, 1, 1]);
    let list = &data.pictures.as_ref().unwrap().list;
    assert!(list.contains("train/bee/00.png,b,validation,"), "{list}");

    fs::write(parts.path().join("labels.csv"), "path,label\ntrain/ant/nothing.png,a\n").unwrap();
    let error = open(parts.path(), None).unwrap_err().to_string();
    assert!(error.contains("row 2") && error.contains("nothing.png"), "{error}");
}

#[test]
fn problems_of_a_folder_are_reported() {
    let root = photos();
    fs::copy(root.path().join("ant/00.png"), root.path().join("bee/copy.png")).unwrap();
    draw(&root.path().join("Ant/thin.png"), 1, [1, 30]);
    let options = options(None);
    let inventory = Inventory::read(Listing::read(root.path()).unwrap(), &options).unwrap();
    let parts = inventory.parts(options.shares, |_| true);
    let problems = inventory.problems(&parts, |_| true);
    let kinds: Vec<&str> = problems.iter().map(Problem::kind).collect();
    let expected = ["duplicates", "one_pixel", "single_picture", "similar_names", "imbalance"];
    assert_eq!(kinds, expected, "{problems:?}");
    let Problem::Duplicates { paths, across_classes, across_parts } = &problems[0] else {
        panic!("{problems:?}")
    };
    assert_eq!(paths, &["ant/00.png", "bee/copy.png"]);
    assert!(*across_classes && !across_parts);
}

#[test]
fn many_classes_have_labels_beyond_a_byte() {
    let root = tempfile::tempdir().unwrap();
    for class in 0..300 {
        for number in 0..3 {
            let path = root.path().join(format!("{class:03}/{number}.png"));
            draw(&path, class * 3 + number, [2, 3]);
        }
    }
    let data = open(root.path(), None).unwrap();
    assert_eq!(data.class_names.len(), 300);
    for part in Part::ALL {
        let labels: Vec<u16> = (0..300).collect();
        assert_eq!(data.part(part).labels(), labels, "{part:?}");
    }
}
