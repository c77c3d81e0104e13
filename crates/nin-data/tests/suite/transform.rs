//! Normalization and whitening match numpy and do not depend on workers.

use burn_flex::{Flex, FlexDevice};
use nin_data::{Augmentation, ImageDataset, Images, OrderedLoader};
use nin_preprocessing::{Normalization, Preprocessing, Whitening};

/// Written by `transform_golden.py`.
const GOLDEN: &str = include_str!("transform_golden.txt");
const COUNT: usize = 60;
const CHANNELS: usize = 3;
const HEIGHT: usize = 2;
const WIDTH: usize = 3;
const LENGTH: usize = CHANNELS * HEIGHT * WIDTH;
const SCALE: f32 = 55.0;
const BIAS: f64 = 0.1;
/// Relative to values up to 40, which are rounded to 32-bit floats between the steps.
const TOLERANCE: f32 = 2e-5;

fn golden(name: &str) -> Vec<f32> {
    let rows = GOLDEN.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    rows.flat_map(|row| row.split(' ').map(|value| value.parse().unwrap())).collect()
}

/// The images of `transform_golden.py`.
fn dataset() -> ImageDataset {
    let pixel = |image: usize, at: usize| {
        let base = (image * 7919 + image * image * 31) % 200;
        (base + (at * 13 + image * at * 5) % 56) as u8
    };
    let pixels = (0..COUNT).flat_map(|image| (0..LENGTH).map(move |at| pixel(image, at)));
    let images = Images {
        count: COUNT,
        channels: CHANNELS,
        height: HEIGHT,
        width: WIDTH,
        pixels: pixels.collect(),
    };
    ImageDataset::new(images, vec![0; COUNT]).unwrap()
}

/// Blocks of seven images.
fn blocks(preprocessing: &Preprocessing) -> impl Iterator<Item = Vec<f32>> + use<> {
    let loader = OrderedLoader::<Flex>::in_order(dataset(), 7, &FlexDevice)
        .with_preprocessing(preprocessing.clone());
    (0..COUNT)
        .step_by(7)
        .map(move |from| loader.values(&(from..COUNT.min(from + 7)).collect::<Vec<_>>()).unwrap())
}

fn assert_close(name: &str, found: &[f32]) {
    let expected = golden(name);
    assert_eq!(found.len(), expected.len(), "{name}");
    for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let scale = expected.abs().max(1.0);
        assert!((found - expected).abs() <= TOLERANCE * scale, "{name} {at}: {found} {expected}");
    }
}

fn plain() -> Preprocessing {
    Preprocessing::resized([HEIGHT, WIDTH])
}

fn contrast() -> Preprocessing {
    Preprocessing { normalization: Normalization::Contrast { scale: SCALE }, ..plain() }
}

fn whitened() -> Preprocessing {
    let whitening = Whitening::fit(|| blocks(&contrast()), LENGTH, BIAS).unwrap();
    Preprocessing { whitening: Some(whitening), ..contrast() }
}

#[test]
fn normalization_and_whitening_match_numpy() {
    let fitted = Normalization::fit_channels(blocks(&plain()), CHANNELS, HEIGHT * WIDTH);
    let Normalization::Channels { mean, deviation } = fitted else { panic!("{fitted:?}") };
    assert_close("channel_mean", &mean);
    assert_close("channel_deviation", &deviation);
    let first = |preprocessing: &Preprocessing| {
        blocks(preprocessing).flatten().take(4 * LENGTH).collect::<Vec<f32>>()
    };
    assert_close("contrast", &first(&contrast()));
    let whitened = whitened();
    let whitening = whitened.whitening.as_ref().unwrap();
    assert_close("zca_mean", &whitening.mean);
    assert_close("zca_matrix", &whitening.matrix);
    assert_close("zca", &first(&whitened));
}

/// The position and values of each image in an epoch.
fn epoch(
    preprocessing: &Preprocessing,
    augmentation: Augmentation,
    workers: usize,
) -> Vec<(usize, Vec<f32>)> {
    let loader = OrderedLoader::<Flex>::shuffled(dataset(), 8, 5, &FlexDevice)
        .with_preprocessing(preprocessing.clone())
        .with_augmentation(augmentation)
        .with_workers(workers);
    let batches = loader.epoch(1, 0).flat_map(|batch| {
        let batch = batch.unwrap();
        let values: Vec<f32> = batch.images.into_data().to_vec().unwrap();
        let images: Vec<_> = values.chunks_exact(LENGTH).map(<[f32]>::to_vec).collect();
        batch.indices.into_iter().zip(images)
    });
    batches.collect()
}

#[test]
fn preprocessing_does_not_depend_on_workers() {
    let (mean, deviation) = (vec![0.4, 0.5, 0.6], vec![0.1, 0.2, 0.3]);
    let normalized =
        Preprocessing { normalization: Normalization::Channels { mean, deviation }, ..plain() };
    for preprocessing in [normalized, whitened()] {
        let changes = Augmentation { flip: true, shift: 1, erase: 0.5, ..Augmentation::default() };
        for augmentation in [Augmentation::default(), changes] {
            let alone = epoch(&preprocessing, augmentation, 0);
            assert_eq!(alone.len(), COUNT);
            assert_eq!(epoch(&preprocessing, augmentation, 3), alone);
        }
        let plain: Vec<f32> = blocks(&preprocessing).flatten().collect();
        for (index, image) in epoch(&preprocessing, Augmentation::default(), 2) {
            assert_eq!(image, plain[index * LENGTH..][..LENGTH]);
        }
    }
}

#[test]
fn a_whitened_image_is_shifted_after_whitening_and_filled_with_0() {
    let preprocessing = whitened();
    let plain: Vec<f32> = blocks(&preprocessing).flatten().collect();
    let shift = Augmentation { shift: 1, ..Augmentation::default() };
    let mut moved = 0;
    for (index, image) in epoch(&preprocessing, shift, 0) {
        let original = &plain[index * LENGTH..][..LENGTH];
        // Every value is one of the image's own values, or 0.
        assert!(image.iter().all(|value| *value == 0.0 || original.contains(value)), "{index}");
        moved += usize::from(image != original);
    }
    assert!(moved > COUNT / 2, "{moved}");
}
