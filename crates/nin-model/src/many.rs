//! Operations on many tensors at once, where the backend has kernels for them.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

#[cfg(feature = "wgpu")]
use crate::gpu::{parts_of_sums, scaled};
use crate::{HostTensor, ModelError};

/// The sum of a tensor and that of its squares. Either is NaN or infinite if a value of the tensor is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TensorSums {
    /// The sum of the values.
    pub sum: f64,
    /// The sum of the squares of the values.
    pub squares: f64,
}

/// Computes the sums of some tensors in few kernels and reads them together, if the backend is wgpu; otherwise returns `None`.
/// Partial sums are 32-bit; the host adds them in 64 bits.
///
/// # Errors
/// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if the sums cannot be read from the device.
pub fn fused_sums<B: Backend>(
    tensors: &[Tensor<B, 1>],
) -> Result<Option<Vec<TensorSums>>, ModelError> {
    let Some(parts) = parts_of_sums(tensors) else { return Ok(None) };
    let [_, _, parts_of_sum] = parts.dims();
    let parts = HostTensor::read("sums", &parts)?.values;
    let sum = |parts: &[f32]| parts.iter().copied().map(f64::from).sum();
    let sums = parts.chunks_exact(2 * parts_of_sum).map(|parts| {
        let (values, squares) = parts.split_at(parts_of_sum);
        TensorSums { sum: sum(values), squares: sum(squares) }
    });
    Ok(Some(sums.collect()))
}

/// Returns tensors times a factor, computed in few kernels, if the backend is wgpu; otherwise returns `None`.
pub fn fused_scaled<B: Backend>(
    tensors: &[Tensor<B, 1>],
    factor: f32,
) -> Option<Vec<Tensor<B, 1>>> {
    scaled(tensors, factor)
}

/// Returns whether the backend is wgpu and computes by the kernels of nin-gpu.
pub fn has_gpu_kernels<B: Backend>(device: &B::Device) -> bool {
    #[cfg(feature = "wgpu")]
    return crate::gpu::is_used_on::<B>(device);
    #[cfg(not(feature = "wgpu"))]
    {
        let _ = device;
        false
    }
}

#[cfg(not(feature = "wgpu"))]
fn parts_of_sums<B: Backend>(_tensors: &[Tensor<B, 1>]) -> Option<Tensor<B, 3>> {
    None
}

#[cfg(not(feature = "wgpu"))]
fn scaled<B: Backend>(_tensors: &[Tensor<B, 1>], _factor: f32) -> Option<Vec<Tensor<B, 1>>> {
    None
}
