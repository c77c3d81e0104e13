//! IDX files of images and labels, as they come out of a download.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nin_data::{ImageDataset, read_images, read_labels};
use nin_fuzz::Scratch;

fuzz_target!(|bytes: &[u8]| {
    let path = Scratch::shared().write("idx3-ubyte", bytes);
    let labels = read_labels(&path);
    if let Ok((images, sum)) = read_images(&path) {
        assert_eq!(sum.len(), 64);
        // The header tells the truth, or the file is refused.
        let labels = labels.map_or_else(|_| vec![0; images.count], |(labels, _)| labels);
        let labels = labels.into_iter().map(u16::from).collect();
        if let Ok(dataset) = ImageDataset::new(images, labels) {
            for index in 0..dataset.len().min(3) {
                assert!(dataset.image(index).is_ok());
            }
        }
    }
});
