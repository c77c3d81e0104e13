//! The training loss in one pass, where the backend has a kernel for it.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Returns the loss of each image, `[images]`, of `[images, classes]` logits if the backend is wgpu: minus the sum over the
/// classes of log-probability times factor. `factors` are `[images, classes]`.
#[cfg(feature = "wgpu")]
pub fn fused_cross_entropy<B: Backend>(
    logits: &Tensor<B, 2>,
    factors: impl FnOnce() -> Vec<f32>,
) -> Option<Tensor<B, 1>> {
    use burn::tensor::TensorData;

    use crate::gpu::{cross_entropy, is_used_on};
    use crate::operation::{primitive, tensor};

    if !is_used_on::<B>(&logits.device()) {
        return None;
    }
    let dims = logits.dims();
    let factors = Tensor::<B, 2>::from_data(TensorData::new(factors(), dims), &logits.device());
    let operands = [primitive(logits.clone()), primitive(factors)];
    cross_entropy::<B>(dims, operands).map(tensor)
}

/// Returns the loss of each image if the backend is wgpu.
#[cfg(not(feature = "wgpu"))]
pub fn fused_cross_entropy<B: Backend>(
    _logits: &Tensor<B, 2>,
    _factors: impl FnOnce() -> Vec<f32>,
) -> Option<Tensor<B, 1>> {
    None
}
