//! Whether nin-gpu is used at all.

use std::sync::atomic::{AtomicBool, Ordering};

static USED: AtomicBool = AtomicBool::new(true);

/// Sets whether networks on wgpu use the kernels of nin-gpu, for the whole process; otherwise their convolutions are matrix
/// products of Burn. They do by default; this is for comparisons.
pub fn use_gpu_kernels(used: bool) {
    USED.store(used, Ordering::Relaxed);
}

pub(super) fn is_used() -> bool {
    USED.load(Ordering::Relaxed)
}
