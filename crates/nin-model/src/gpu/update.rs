//! Updates of parameters by nin-gpu.

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorMetadata};
use burn_cubecl::kernel::into_contiguous;
use cubecl::server::Handle;
use nin_gpu::{AdamW, Sgd};

use super::buffers::{GpuTensor, tensor_on};
use super::switch::is_used;
use crate::activations::{primitive, tensor};
use crate::operation::{cast, uncast};

/// Takes a step of SGD in one kernel if `B` is wgpu. Returns the weight and the momenta.
pub(crate) fn sgd<B: Backend, const D: usize>(
    sgd: &Sgd,
    [weight, gradient]: [&Tensor<B, D>; 2],
    momenta: Option<&Tensor<B, D>>,
) -> Option<[Tensor<B, D>; 2]> {
    let [weight, gradient] = [on_gpu(weight)?, on_gpu(gradient)?];
    let momenta = match momenta {
        Some(momenta) => Some(on_gpu(momenta)?),
        None => None,
    };
    let operands = [&weight.handle, &gradient.handle];
    let momenta = momenta.as_ref().map(|momenta| &momenta.handle);
    let updated = sgd.step(&weight.client, weight.meta.num_elements(), operands, momenta).ok()?;
    Some(updated.map(|values| tensor_like(&weight, values)))
}

/// Takes a step of AdamW in one kernel if `B` is wgpu. Returns the weight and both moving averages.
pub(crate) fn adamw<B: Backend, const D: usize>(
    adamw: &AdamW,
    [weight, gradient]: [&Tensor<B, D>; 2],
    means: Option<[&Tensor<B, D>; 2]>,
) -> Option<[Tensor<B, D>; 3]> {
    let [weight, gradient] = [on_gpu(weight)?, on_gpu(gradient)?];
    let means = match means {
        Some([first, second]) => Some([on_gpu(first)?, on_gpu(second)?]),
        None => None,
    };
    let operands = [&weight.handle, &gradient.handle];
    let means = means.as_ref().map(|means| means.each_ref().map(|mean| &mean.handle));
    let updated = adamw.step(&weight.client, weight.meta.num_elements(), operands, means).ok()?;
    Some(updated.map(|values| tensor_like(&weight, values)))
}

/// Returns a tensor as one of wgpu, if it is one of contiguous 32-bit floats.
fn on_gpu<B: Backend, const D: usize>(tensor: &Tensor<B, D>) -> Option<GpuTensor> {
    let tensor: GpuTensor = cast(primitive(tensor.clone())).ok()?;
    (is_used() && tensor.dtype() == DType::F32).then(|| into_contiguous(tensor))
}

fn tensor_like<B: Backend, const D: usize>(other: &GpuTensor, values: Handle) -> Tensor<B, D> {
    tensor(uncast(tensor_on(other, values, other.meta.shape().clone())))
}
