//! How blocks on wgpu are computed.

use std::sync::atomic::{AtomicU8, Ordering};

use nin_gpu::{ConvGeometry, Convolution, Element};

use crate::Precision;

/// How networks on wgpu are computed, for the whole process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GpuPath {
    /// By the kernels of nin-gpu, the default.
    Kernels,
    /// By the kernels of nin-gpu without Winograd's algorithm.
    Direct,
    /// By the kernels of nin-gpu, with Winograd's algorithm for every layer that it has a scheme for.
    Winograd,
    /// By matrix products of Burn.
    Products,
}

static PATH: AtomicU8 = AtomicU8::new(GpuPath::Kernels as u8);

/// Sets how networks on wgpu are computed, for the whole process: for comparisons.
pub fn set_gpu_path(path: GpuPath) {
    PATH.store(path as u8, Ordering::Relaxed);
}

/// Returns how networks on wgpu are computed.
pub fn gpu_path() -> GpuPath {
    let path = PATH.load(Ordering::Relaxed);
    let all = [GpuPath::Direct, GpuPath::Winograd, GpuPath::Products];
    all.into_iter().find(|&it| it as u8 == path).unwrap_or(GpuPath::Kernels)
}

/// Returns whether nin-gpu is used at all.
pub(super) fn is_used() -> bool {
    gpu_path() != GpuPath::Products
}

/// Returns what blocks multiply, and store between their layers.
pub(super) fn element(precision: Precision) -> Element {
    match precision {
        Precision::Fp32 | Precision::Bf16 => Element::F32,
        Precision::F16 => Element::F16,
    }
}

/// Returns a convolution with its algorithms.
pub(super) fn convolution(geometry: ConvGeometry) -> Convolution {
    match gpu_path() {
        GpuPath::Direct => Convolution::direct(geometry),
        GpuPath::Winograd => {
            Convolution::winograd(geometry).unwrap_or_else(|| Convolution::direct(geometry))
        }
        GpuPath::Kernels | GpuPath::Products => Convolution::new(geometry),
    }
}
