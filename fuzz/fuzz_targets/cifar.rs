//! Files in CIFAR's binary form, plain and compressed, as they come out of a download.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use nin_data::{Cifar, ImageDataset, read_cifar};
use nin_fuzz::Scratch;

fuzz_target!(|bytes: &[u8]| {
    let path = Scratch::shared().write("cifar.bin", bytes);
    for (kind, labels) in [(Cifar::Ten, 1), (Cifar::Hundred, 2)] {
        let Ok((images, found, sum)) = read_cifar(&path, kind) else { continue };
        assert_eq!(sum.len(), 64);
        assert!(found.iter().all(|&label| usize::from(label) < kind.classes()));
        // Nothing is left out, and nothing made up; a gzip stream holds other bytes than it is.
        if !bytes.starts_with(&[0x1f, 0x8b]) {
            assert_eq!(bytes.len(), images.count * (labels + 3072));
        }
        let found = found.into_iter().map(u16::from).collect();
        let dataset = ImageDataset::new(images, found).expect("a label for each image");
        assert_eq!(dataset.image(0).map(|image| image.pixels.len()).ok(), Some(3072));
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    if let Ok(compressed) = encoder.write_all(bytes).and_then(|()| encoder.finish())
        && !bytes.starts_with(&[0x1f, 0x8b])
    {
        let compressed = Scratch::shared().write("cifar.bin.gz", &compressed);
        let is_read = |path| read_cifar(path, Cifar::Ten).is_ok();
        assert_eq!(is_read(&compressed), is_read(&path));
    }
});
