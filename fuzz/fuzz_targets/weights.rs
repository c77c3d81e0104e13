//! Files of weights: safetensors, and the metadata in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nin_model::{ModelMetadata, Weights};

fuzz_target!(|bytes: &[u8]| {
    let _ = Weights::from_safetensors(bytes);
    if let Ok((metadata, weights)) = ModelMetadata::from_safetensors(bytes) {
        let written = metadata.to_safetensors(&weights).expect("what was read can be written");
        let (again, same) = ModelMetadata::from_safetensors(&written).expect("and read again");
        assert!(again == metadata && same == weights);
    }
});
