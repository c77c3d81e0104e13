//! Sums of many tensors at once.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::ModelError;

/// The sum of a tensor and that of its squares. Either is NaN or infinite if a value of the tensor is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TensorSums {
    /// The sum of the values.
    pub sum: f64,
    /// The sum of the squares of the values.
    pub squares: f64,
}

/// Computes the sums of some tensors in few kernels and reads them together, if the backend is wgpu; otherwise returns `None`.
/// Parts of a sum are added in 32 bits, and then to each other in 64.
///
/// # Errors
/// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if the sums cannot be read from the device.
#[cfg(feature = "wgpu")]
pub fn fused_sums<B: Backend>(
    tensors: &[Tensor<B, 1>],
) -> Result<Option<Vec<TensorSums>>, ModelError> {
    use crate::HostTensor;

    let Some(parts) = crate::gpu::parts_of_sums(tensors) else { return Ok(None) };
    let [_, _, parts_of_sum] = parts.dims();
    let parts = HostTensor::read("sums", &parts)?.values;
    let sum = |parts: &[f32]| parts.iter().copied().map(f64::from).sum();
    let sums = parts.chunks_exact(2 * parts_of_sum).map(|parts| {
        let (values, squares) = parts.split_at(parts_of_sum);
        TensorSums { sum: sum(values), squares: sum(squares) }
    });
    Ok(Some(sums.collect()))
}

/// Returns `None`: there is no wgpu.
///
/// # Errors
/// None.
#[cfg(not(feature = "wgpu"))]
pub fn fused_sums<B: Backend>(
    _tensors: &[Tensor<B, 1>],
) -> Result<Option<Vec<TensorSums>>, ModelError> {
    Ok(None)
}
