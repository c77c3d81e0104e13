//! Measures images per second of the resize and of the data loader, on one core.
//!
//! ```text
//! cargo bench -p nin-data
//! ```

use std::time::{Duration, Instant};

use burn_flex::{Flex, FlexDevice};
use nin_data::{DataSet, FASHION_MNIST_SAMPLE, ImageDataset, Locations, OrderedLoader};
use nin_preprocessing::Resizer;

const BATCH_SIZE: usize = 128;
/// The duration of a measurement; the median of several is printed.
const DURATION: Duration = Duration::from_millis(300);
const REPETITIONS: usize = 5;

fn main() -> Result<(), nin_data::DataError> {
    let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default())?.limited(512).train;
    for to in [28, 67, 96, 224] {
        let (resize, loader) = (resize_rate(&data, to), loader_rate(&data, to));
        println!("28 -> {to}: resize {resize:.0} images/s, loader {loader:.0} images/s");
    }
    Ok(())
}

fn resize_rate(data: &ImageDataset, to: usize) -> f64 {
    let resizer = Resizer::new(data.image_size().unwrap_or_default(), [to, to]);
    let mut output = Vec::with_capacity(BATCH_SIZE * to * to);
    rate(|| {
        output.clear();
        for image in (0..BATCH_SIZE).filter_map(|at| data.image(at).ok()) {
            let pixels = &image.pixels;
            resizer.resize(pixels, &mut output);
        }
        assert_eq!(std::hint::black_box(&output).len(), BATCH_SIZE * to * to);
        BATCH_SIZE
    })
}

fn loader_rate(data: &ImageDataset, to: usize) -> f64 {
    let loader = OrderedLoader::<Flex>::shuffled(data.clone(), BATCH_SIZE, 42, &FlexDevice)
        .with_size([to, to]);
    rate(|| {
        loader.epoch(1, 0).flatten().map(|batch| std::hint::black_box(batch).labels.len()).sum()
    })
}

/// Measures images per second of `work`, which returns the number of images it handled.
fn rate(mut work: impl FnMut() -> usize) -> f64 {
    let mut rates: Vec<f64> = (0..REPETITIONS)
        .map(|_| {
            let (start, mut images) = (Instant::now(), 0);
            while start.elapsed() < DURATION {
                images += work();
            }
            images as f64 / start.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    rates[REPETITIONS / 2]
}
