//! How blocks on wgpu are computed.

use std::sync::atomic::{AtomicU8, Ordering};

use nin_gpu::{ConvGeometry, Convolution};

/// How networks on wgpu are computed, for the whole process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GpuPath {
    /// By the kernels of nin-gpu, the default.
    Kernels,
    /// By the kernels of nin-gpu without Winograd's algorithm.
    Direct,
    /// By matrix products of Burn.
    Products,
}

static PATH: AtomicU8 = AtomicU8::new(GpuPath::Kernels as u8);

/// Sets how networks on wgpu are computed, for the whole process: for comparisons.
pub fn set_gpu_path(path: GpuPath) {
    PATH.store(path as u8, Ordering::Relaxed);
}

fn is(path: GpuPath) -> bool {
    PATH.load(Ordering::Relaxed) == path as u8
}

/// Returns whether nin-gpu is used at all.
pub(super) fn is_used() -> bool {
    !is(GpuPath::Products)
}

/// Returns a convolution with its algorithms.
pub(super) fn convolution(geometry: ConvGeometry) -> Convolution {
    if is(GpuPath::Direct) { Convolution::direct(geometry) } else { Convolution::new(geometry) }
}
