//! A checkpoint's manifest and state, and a whole folder of which one file is not as it was.
#![no_main]

use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use nin_fuzz::Scratch;
use nin_train::{Checkpoint, load_model};

const FILES: [&str; 4] =
    ["manifest.json", "state.json", "optimizer.safetensors", "model.safetensors"];

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, content)) = bytes.split_first() else { return };
    let scratch = Scratch::shared();
    let whole = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/seeds/checkpoint-folder"));
    let name = FILES[usize::from(which) % FILES.len()];
    for file in FILES {
        if let Ok(bytes) = std::fs::read(whole.join(file)) {
            scratch.write(&format!("checkpoint/{file}"), &bytes);
        }
    }
    let folder = scratch.write(&format!("checkpoint/{name}"), content);
    if let Some(folder) = folder.parent() {
        let _ = (Checkpoint::read(folder), load_model(folder));
    }
});
