//! What this process is among those of its training.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Whether this process prints and writes. Of several, one does.
static IS_ROOT: AtomicBool = AtomicBool::new(true);

/// Number of processes of this training that run on the same cores, this one included.
static SHARING_CORES: AtomicUsize = AtomicUsize::new(1);

/// Number of processes of this training with a lower rank on the same machine.
static LOCAL_RANK: AtomicUsize = AtomicUsize::new(0);

/// Returns whether this process prints and writes.
pub fn is_root() -> bool {
    IS_ROOT.load(Ordering::Relaxed)
}

/// Returns the number of processes of this training that run on the same cores, this one included.
pub fn sharing_cores() -> usize {
    SHARING_CORES.load(Ordering::Relaxed)
}

/// Returns the number of processes of this training with a lower rank on the same machine.
pub fn local_rank() -> usize {
    LOCAL_RANK.load(Ordering::Relaxed)
}

/// Sets whether this process prints and writes.
pub fn set_root(is_root: bool) {
    IS_ROOT.store(is_root, Ordering::Relaxed);
}

/// Sets the number of processes of this training that run on the same cores.
pub fn set_sharing_cores(count: usize) {
    SHARING_CORES.store(count, Ordering::Relaxed);
}

/// Sets the number of processes of this training with a lower rank on the same machine.
pub fn set_local_rank(rank: usize) {
    LOCAL_RANK.store(rank, Ordering::Relaxed);
}
