//! `labels.csv`, the table of a folder of pictures.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nin_data::Listing;
use nin_fuzz::Scratch;

fuzz_target!(|bytes: &[u8]| {
    let folder = Scratch::shared().folder("table");
    for name in ["a.png", "b.png"] {
        // Nothing is opened while a folder is listed.
        std::fs::write(folder.join(name), b"").expect("room to write");
    }
    std::fs::write(folder.join("labels.csv"), bytes).expect("room to write");
    let Ok(listing) = Listing::read(&folder) else { return };
    assert!((1..=2).contains(&listing.pictures.len()));
    for picture in &listing.pictures {
        assert!(folder.join(&picture.path).is_file(), "{}", picture.path);
        assert!(!listing.classes[usize::from(picture.class)].is_empty());
    }
});
