//! The source of random numbers that `getrandom` requires: none. Inference draws no random numbers.

// The name and the signature are getrandom's.
#![allow(unsafe_code)]

use getrandom::Error;

/// Refuses.
#[unsafe(no_mangle)]
extern "Rust" fn __getrandom_v03_custom(_to: *mut u8, _length: usize) -> Result<(), Error> {
    Err(Error::UNSUPPORTED)
}
