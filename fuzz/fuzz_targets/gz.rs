//! The same, compressed: the bytes of a gzip stream, and of one whose content they are.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use nin_data::{read_images, read_labels};
use nin_fuzz::Scratch;

fuzz_target!(|bytes: &[u8]| {
    let scratch = Scratch::shared();
    let path = scratch.write("idx3-ubyte.gz", bytes);
    let _ = (read_images(&path), read_labels(&path));

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let compressed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    if let Ok(compressed) = compressed {
        let compressed = scratch.write("idx3-ubyte.gz", &compressed);
        let of_compressed = read_images(&compressed).is_ok();
        let plain = scratch.write("plain-idx3-ubyte", bytes);
        // Compression changes nothing, but for bytes that are themselves a gzip stream.
        if !bytes.starts_with(&[0x1f, 0x8b]) {
            assert_eq!(of_compressed, read_images(&plain).is_ok());
        }
    }
});
