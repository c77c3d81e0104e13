//! A cache of decoded pictures that something else has written to: no picture is ever another one.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use nin_data::{CacheOptions, DataSet, Part, PictureOptions};
use nin_fuzz::Scratch;

/// A folder of pictures, a folder of caches, and what the pictures hold.
struct Pictures {
    folder: PathBuf,
    cache: PathBuf,
    expected: Vec<Vec<u8>>,
}

fn open(folder: &Path, cache: Option<&Path>) -> Vec<Vec<u8>> {
    let options = PictureOptions {
        input_size: [4, 4],
        cache: cache.map(|folder| CacheOptions { folder: folder.to_owned(), limit: 1 << 20 }),
        ..PictureOptions::default()
    };
    let data = DataSet::open_pictures("fuzz", folder, &options).expect("pictures");
    let parts = Part::ALL.map(|part| data.part(part));
    let images = parts.iter().flat_map(|part| (0..part.len()).map(|index| part.image(index)));
    images.map(|image| image.expect("a picture").pixels.into_owned()).collect()
}

fn pictures() -> &'static Pictures {
    static PICTURES: OnceLock<Pictures> = OnceLock::new();
    PICTURES.get_or_init(|| {
        let (folder, cache) =
            (Scratch::shared().folder("photos"), Scratch::shared().folder("caches"));
        for (class, picture) in [("a", "one.png"), ("b", "two.png")] {
            let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/cache").join(picture);
            std::fs::create_dir_all(folder.join(class)).expect("a folder");
            std::fs::copy(seed, folder.join(class).join(picture)).expect("a seed");
        }
        let expected = open(&folder, Some(&cache));
        Pictures { folder, cache, expected }
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Pictures { folder, cache, expected } = pictures();
    let mut files = std::fs::read_dir(cache).expect("a folder").filter_map(Result::ok);
    let file = files.next().expect("a cache").path();
    std::fs::write(file, bytes).expect("room to write");
    assert!(open(folder, Some(cache)) == *expected);
});
