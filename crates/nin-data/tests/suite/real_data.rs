//! Tests on the real Fashion-MNIST, if it is installed.

use burn_dataset::Dataset;
use nin_data::{DataError, DataSet, FASHION_MNIST, ImageItem, Locations, choose_sample};
use nin_testing::Need;

/// Opens Fashion-MNIST; `None` if it is not installed.
fn fashion_mnist() -> Option<DataSet> {
    match DataSet::open(FASHION_MNIST, None, &Locations::from_environment()) {
        Ok(data) => Some(data),
        Err(error) => {
            Need::FashionMnist.skip(error);
            None
        }
    }
}

#[test]
fn fashion_mnist_is_complete_and_matches_its_checksums() {
    let Some(data) = fashion_mnist() else { return };
    assert_eq!((data.train.len(), data.test.len()), (60_000, 10_000));
    assert_eq!(data.train.image_size(), Some([28, 28]));
    assert!(data.checksums.iter().all(|checksum| checksum.known == Some(true)));
}

#[test]
fn the_embedded_sample_matches_choose_sample() {
    let Some(data) = fashion_mnist() else { return };
    let sample = DataSet::open("fashion-mnist-sample", None, &Locations::default()).unwrap();
    for (whole, part, per_class, split) in
        [(&data.train, &sample.train, 600, 0), (&data.test, &sample.test, 100, 1)]
    {
        let chosen = choose_sample(whole.labels(), per_class, split);
        assert_eq!(chosen.len(), part.len());
        for (at, index) in chosen.into_iter().enumerate() {
            assert_eq!(part.image(at).unwrap(), whole.image(index).unwrap());
        }
    }
}

#[test]
fn other_checksums_are_recorded_in_a_given_folder_and_an_error_in_a_search() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(FASHION_MNIST);
    std::fs::create_dir(&folder).unwrap();
    let images = [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2][..], &[9; 4]].concat();
    let labels = [0, 0, 8, 1, 0, 0, 0, 1, 4];
    for split in ["train", "t10k"] {
        std::fs::write(folder.join(format!("{split}-images-idx3-ubyte")), &images).unwrap();
        std::fs::write(folder.join(format!("{split}-labels-idx1-ubyte")), labels).unwrap();
    }
    let by_hand = DataSet::open(FASHION_MNIST, Some(&folder), &Locations::default()).unwrap();
    assert!(by_hand.checksums.iter().all(|checksum| checksum.known == Some(false)));
    assert_eq!(Dataset::<ImageItem>::get(&by_hand.train, 0).unwrap().label, 4);

    let locations = Locations { own: Some(root.path().to_owned()), ..Locations::default() };
    let searched = DataSet::open(FASHION_MNIST, None, &locations);
    assert!(matches!(searched, Err(DataError::Checksum { .. })), "{searched:?}");
}
