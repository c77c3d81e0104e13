//! Backends with tensors in host memory.

#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "ndarray")]
mod ndarray;

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

/// A backend that gives access to its tensors as slices of 32-bit floats.
pub(crate) trait Host: Backend {
    /// Makes the values of a tensor contiguous, in row-major order.
    fn contiguous(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Returns the values of a tensor if they are contiguous, in row-major order, and 32-bit floats.
    fn values(tensor: &FloatTensor<Self>) -> Option<&[f32]>;

    /// Creates a tensor from values in row-major order.
    fn tensor(values: Vec<f32>, shape: &[usize]) -> FloatTensor<Self>;
}

/// Returns the values of an operand, which is contiguous and of 32-bit floats.
pub(super) fn values<H: Host>(tensor: &FloatTensor<H>) -> &[f32] {
    H::values(tensor).expect("operands are contiguous 32-bit floats")
}
