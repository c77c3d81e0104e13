//! Operations of nin-gpu on many tensors at once.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use cubecl::server::Handle;
use nin_gpu::Sums;

use super::buffers::{GpuTensor, on_gpu, tensor_on};
use crate::operation::{tensor, uncast};

/// Tensors of one device.
struct Tensors(Vec<GpuTensor>);

impl Tensors {
    /// Returns the tensors if there are any and `B` is wgpu.
    fn of<B: Backend>(tensors: &[Tensor<B, 1>]) -> Option<Self> {
        let tensors: Vec<_> = tensors.iter().map(on_gpu).collect::<Option<_>>()?;
        let first = tensors.first()?;
        tensors.iter().all(|tensor| tensor.device == first.device).then_some(Self(tensors))
    }

    fn first(&self) -> &GpuTensor {
        &self.0[0]
    }

    fn buffers(&self) -> Vec<(&Handle, usize)> {
        self.0.iter().map(|tensor| (&tensor.handle, tensor.meta.num_elements())).collect()
    }
}

/// Returns the parts of the sums of some tensors and of their squares, `[tensors, 2, parts]`, if `B` is wgpu.
pub(crate) fn parts_of_sums<B: Backend>(tensors: &[Tensor<B, 1>]) -> Option<Tensor<B, 3>> {
    let tensors = Tensors::of(tensors)?;
    let first = tensors.first();
    let Sums { parts, shape } = Sums::of(&first.client, &tensors.buffers()).ok()?;
    Some(tensor(uncast(tensor_on(first, parts, shape.into()))))
}

/// Returns tensors times a factor, if `B` is wgpu.
pub(crate) fn scaled<B: Backend>(
    tensors: &[Tensor<B, 1>],
    factor: f32,
) -> Option<Vec<Tensor<B, 1>>> {
    let tensors = Tensors::of(tensors)?;
    let scaled = nin_gpu::scaled(&tensors.first().client, &tensors.buffers(), factor).ok()?;
    let scaled = tensors
        .0
        .iter()
        .zip(scaled)
        .map(|(tensor, values)| tensor_on(tensor, values, tensor.meta.shape().clone()));
    Some(scaled.map(|scaled| tensor(uncast(scaled))).collect())
}
