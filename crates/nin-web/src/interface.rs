//! The C interface: numbers and addresses in linear memory.
//!
//! JavaScript calls `nin_allocate`, writes a file there and passes the address on. Every function that answers returns whether
//! it succeeded; `nin_answer` and `nin_answer_length` then give the answer, or a problem as JSON.

// The exported names, and the addresses from JavaScript.
#![allow(unsafe_code)]

use std::cell::RefCell;

use nin_model::ModelError;
use nin_prediction::{Inversion, PredictionError, Threshold};

use crate::{Network, problem};

thread_local! {
    static NETWORK: RefCell<Option<Network>> = const { RefCell::new(None) };
    static ANSWER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Allocates `length` bytes for a file. The next call that takes the address frees them.
#[unsafe(no_mangle)]
extern "C" fn nin_allocate(length: usize) -> *mut u8 {
    Box::into_raw(vec![0_u8; length].into_boxed_slice()).cast()
}

/// Opens the network of a `.safetensors` file.
///
/// # Safety
/// `file` is of [`nin_allocate`] with this length, and is not used again.
#[unsafe(no_mangle)]
unsafe extern "C" fn nin_open(file: *mut u8, length: usize) -> bool {
    // SAFETY: the caller's promise.
    let file = unsafe { taken(file, length) };
    let opened = Network::open(&file).map_err(|error| of_model(&error));
    respond(opened.map(|network| {
        NETWORK.set(Some(network));
        Vec::new()
    }))
}

/// Classifies a picture file: the `top` most probable classes, inverted never (0), always (1) or automatically (2). A
/// negative threshold is none.
///
/// # Safety
/// As for [`nin_open`].
#[unsafe(no_mangle)]
unsafe extern "C" fn nin_predict(
    file: *mut u8,
    length: usize,
    top: usize,
    inversion: u32,
    threshold: f64,
) -> bool {
    // SAFETY: the caller's promise.
    let file = unsafe { taken(file, length) };
    let inversion = match inversion {
        0 => Inversion::Never,
        1 => Inversion::Always,
        _ => Inversion::Auto,
    };
    respond(NETWORK.with_borrow(|network| {
        let Some(network) = network else {
            return Err(problem("there is no network", "open one first"));
        };
        let answered = network.predict(&file, top, inversion, Threshold::new(threshold));
        answered.map(String::into_bytes).map_err(|error| match error {
            PredictionError::Picture(error) => problem(&error.to_string(), error.hint()),
            PredictionError::Network(error) => of_model(&error),
            _ => problem(&error.to_string(), ""),
        })
    }))
}

/// Returns the address of the answer. It is valid until the next call.
#[unsafe(no_mangle)]
extern "C" fn nin_answer() -> *const u8 {
    ANSWER.with_borrow(Vec::as_ptr)
}

/// Returns the length of the answer, in bytes.
#[unsafe(no_mangle)]
extern "C" fn nin_answer_length() -> usize {
    ANSWER.with_borrow(Vec::len)
}

/// Takes back what [`nin_allocate`] gave.
///
/// # Safety
/// As for [`nin_open`].
pub(crate) unsafe fn taken(file: *mut u8, length: usize) -> Box<[u8]> {
    // SAFETY: the caller's promise.
    unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(file, length)) }
}

pub(crate) fn of_model(error: &ModelError) -> String {
    problem(&error.to_string(), &error.hint())
}

/// Keeps the answer, or the problem, for JavaScript. Returns whether it is an answer.
pub(crate) fn respond(answer: Result<Vec<u8>, String>) -> bool {
    let succeeded = answer.is_ok();
    ANSWER.set(answer.unwrap_or_else(String::into_bytes));
    succeeded
}
