//! What this process is among those of its training, for everything that prints or starts threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Whether this process prints and writes. Of several, one does.
static IS_ROOT: AtomicBool = AtomicBool::new(true);

/// Number of processes of this training that run on the same cores, this one included.
static SHARING_CORES: AtomicUsize = AtomicUsize::new(1);

/// Returns whether this process prints and writes.
pub fn is_root() -> bool {
    IS_ROOT.load(Ordering::Relaxed)
}

/// Sets whether this process prints and writes.
pub(super) fn set_root(is_root: bool) {
    IS_ROOT.store(is_root, Ordering::Relaxed);
}

/// Returns the number of processes of this training that run on the same cores, this one included.
pub fn sharing_cores() -> usize {
    SHARING_CORES.load(Ordering::Relaxed)
}

/// Sets the number of processes on the same cores.
pub(super) fn set_sharing_cores(count: usize) {
    SHARING_CORES.store(count, Ordering::Relaxed);
}
