//! A run's record, line by line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nin_fuzz::Scratch;

fuzz_target!(|bytes: &[u8]| {
    let path = Scratch::shared().write("metrics.jsonl", bytes);
    let events = nin_train::read_events(&path).expect("lines that are none are passed over");
    assert!(events.len() <= bytes.len());
});
