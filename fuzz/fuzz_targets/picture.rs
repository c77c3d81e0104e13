//! Pictures of any format, as `train`, `predict` and `serve` take them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nin_data::Picture;

fuzz_target!(|bytes: &[u8]| {
    let Ok(picture) = Picture::decode(bytes) else { return };
    let [height, width] = picture.size;
    let pixels = height * width;
    assert!(pixels > 0);
    assert!(matches!(picture.planes.len(), 1 | 3));
    assert!(picture.planes.iter().all(|plane| plane.len() == pixels));
    let grey = picture.into_grey();
    assert_eq!((grey.planes.len(), grey.planes[0].len()), (1, pixels));
});
