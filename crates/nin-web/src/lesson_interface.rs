//! The C interface of a training.

// The exported names, and the addresses from JavaScript.
#![allow(unsafe_code)]

use std::cell::RefCell;

use nin_model::ModelError;

use crate::interface::{of_model, respond, taken};
use crate::{Images, Lesson, Settings, problem};

thread_local! {
    /// Training images and test images, until a training takes them.
    static IMAGES: RefCell<[Images; 2]> = RefCell::default();
    static LESSON: RefCell<Option<Lesson>> = const { RefCell::new(None) };
}

/// Takes images: all pixels, image by image, and then the class of each of the `count` images, a byte each. `part` is 0 for
/// training images and 1 for test images.
///
/// # Safety
/// As for `nin_open`.
#[unsafe(no_mangle)]
unsafe extern "C" fn nin_lesson_images(
    file: *mut u8,
    length: usize,
    count: usize,
    part: usize,
) -> bool {
    // SAFETY: the caller's promise.
    let file = unsafe { taken(file, length) };
    respond(match Images::from_bytes(file.into_vec(), count) {
        Some(images) if part < 2 => {
            IMAGES.with_borrow_mut(|parts| parts[part] = images);
            Ok(Vec::new())
        }
        _ => Err(problem("these are no images with a class each", "")),
    })
}

/// Draws the initial weights of a training with the settings of a JSON file.
///
/// # Safety
/// As for `nin_open`.
#[unsafe(no_mangle)]
unsafe extern "C" fn nin_lesson_begin(file: *mut u8, length: usize) -> bool {
    // SAFETY: the caller's promise.
    let file = unsafe { taken(file, length) };
    respond(begin(&file))
}

fn begin(file: &[u8]) -> Result<Vec<u8>, String> {
    let settings: Settings =
        serde_json::from_slice(file).map_err(|error| problem(&error.to_string(), ""))?;
    let [train, test] = IMAGES.take();
    if !(train.suits(&settings) && test.suits(&settings)) {
        return Err(problem("the images do not suit the settings", ""));
    }
    let lesson = Lesson::new(settings, train, test).map_err(|error| of_model(&error))?;
    LESSON.set(Some(lesson));
    Ok(Vec::new())
}

/// Takes a step.
#[unsafe(no_mangle)]
extern "C" fn nin_lesson_step() -> bool {
    answer(|lesson| Ok(lesson.step()?.to_string().into_bytes()))
}

/// Evaluates the first `count` test images.
#[unsafe(no_mangle)]
extern "C" fn nin_lesson_evaluate(count: usize) -> bool {
    answer(|lesson| Ok(lesson.evaluate(count)?.to_string().into_bytes()))
}

/// Classifies the test images of a JSON list of indices.
///
/// # Safety
/// As for `nin_open`.
#[unsafe(no_mangle)]
unsafe extern "C" fn nin_lesson_look(file: *mut u8, length: usize) -> bool {
    // SAFETY: the caller's promise.
    let file = unsafe { taken(file, length) };
    let indices: Vec<usize> = serde_json::from_slice(&file).unwrap_or_default();
    answer(|lesson| Ok(lesson.look(&indices)?.to_string().into_bytes()))
}

/// Answers with the weights, as a `.safetensors` file.
#[unsafe(no_mangle)]
extern "C" fn nin_lesson_weights() -> bool {
    answer(|lesson| lesson.weights())
}

fn answer(act: impl FnOnce(&mut Lesson) -> Result<Vec<u8>, ModelError>) -> bool {
    respond(LESSON.with_borrow_mut(|lesson| {
        let lesson = lesson.as_mut().ok_or_else(|| problem("there is no training", ""))?;
        act(lesson).map_err(|error| of_model(&error))
    }))
}
