//! Ctrl-C and its kin: the first asks the training to end, the second ends the program.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use burn::train::Interrupter;

use crate::failure::INTERRUPTED;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Connects SIGINT, SIGTERM and SIGHUP to a training.
pub fn stop_on_signal(interrupter: &Interrupter) -> anyhow::Result<()> {
    let interrupter = interrupter.clone();
    ctrlc::set_handler(move || {
        if ASKED.swap(true, Ordering::SeqCst) {
            // Checkpoints are written aside and renamed: none is left half-written.
            std::process::exit(i32::from(INTERRUPTED));
        }
        interrupter.stop(Some("interrupted"));
    })
    .context("cannot listen for Ctrl-C")
}
