//! Whether a signal asked the program to stop.

use std::sync::atomic::{AtomicBool, Ordering};

static WAS_ASKED: AtomicBool = AtomicBool::new(false);

/// Returns whether a signal asked the program to stop.
pub fn was_asked_to_stop() -> bool {
    WAS_ASKED.load(Ordering::Relaxed)
}

/// Notes that a signal asked the program to stop.
pub fn ask_to_stop() {
    WAS_ASKED.store(true, Ordering::Relaxed);
}
