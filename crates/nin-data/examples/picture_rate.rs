//! Measures pictures per second of the data loader on a folder: decoded each time, and from the cache.
//!
//! ```text
//! cargo run --release -p nin-data --example picture_rate -- FOLDER [SIDE] [WORKERS]
//! ```
//!
//! Prints one JSON object. `benches/pictures/image_folder.py` measures torchvision's `ImageFolder` on the same
//! folder.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use burn_flex::{Flex, FlexDevice};
use nin_data::{CacheOptions, DataSet, OrderedLoader, PictureOptions, Shares};
use nin_preprocessing::{Fit, Preprocessing};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a folder of pictures")?);
    let mut number = |default: usize| -> Result<usize, Box<dyn Error>> {
        let given = arguments.next().map(|word| word.to_string_lossy().parse::<usize>());
        Ok(given.transpose()?.unwrap_or(default))
    };
    let (side, workers) = (number(96)?, number(2)?);
    let cache = tempfile::tempdir()?;
    let mut rates = Vec::new();
    let mut seconds = Vec::new();
    for is_cached in [false, true] {
        let cache = CacheOptions { folder: cache.path().to_owned(), limit: 64 << 30 };
        let options = PictureOptions {
            input_size: [side, side],
            shares: Shares { validation: 0.0, test: 0.0, seed: 0 },
            cache: is_cached.then_some(cache),
            threads: workers.max(1),
            ..PictureOptions::default()
        };
        let begun = Instant::now();
        let data = DataSet::open_pictures("pictures", &folder, &options)?;
        seconds.push(begun.elapsed().as_secs_f64());
        let loader = OrderedLoader::<Flex>::shuffled(data.train, 64, 1, &FlexDevice)
            .with_preprocessing(Preprocessing {
                fit: Some(Fit::Crop),
                ..Preprocessing::resized([side, side])
            })
            .with_workers(workers);
        let begun = Instant::now();
        let mut pictures = 0;
        for batch in loader.epoch(1, 0) {
            pictures += batch?.labels.len();
        }
        rates.push(pictures as f64 / begun.elapsed().as_secs_f64());
    }
    println!(
        "{{\"side\": {side}, \"workers\": {workers}, \"pictures_per_sec\": {:.1}, \
         \"cached_pictures_per_sec\": {:.1}, \"open_secs\": {:.2}, \"fill_cache_secs\": {:.2}}}",
        rates[0], rates[1], seconds[0], seconds[1]
    );
    Ok(())
}
