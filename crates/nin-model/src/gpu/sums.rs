//! Sums of tensors by nin-gpu.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use nin_gpu::Sums;

use super::buffers::{on_gpu, tensor_on};
use crate::operation::{tensor, uncast};

/// Returns the parts of the sums of some tensors and of their squares, `[tensors, 2, parts]`, if `B` is wgpu.
pub(crate) fn parts_of_sums<B: Backend>(tensors: &[Tensor<B, 1>]) -> Option<Tensor<B, 3>> {
    let tensors: Vec<_> = tensors.iter().map(on_gpu).collect::<Option<_>>()?;
    let first = tensors.first()?;
    if tensors.iter().any(|tensor| tensor.device != first.device) {
        return None;
    }
    let buffers: Vec<_> =
        tensors.iter().map(|tensor| (&tensor.handle, tensor.meta.num_elements())).collect();
    let Sums { parts, shape } = Sums::of(&first.client, &buffers).ok()?;
    Some(tensor(uncast(tensor_on(first, parts, shape.into()))))
}
