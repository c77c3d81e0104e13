//! Buffers of nin-gpu as tensors of Burn.

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Shape, Tensor, TensorMetadata};
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{CubeTensor, WgpuRuntime};
use cubecl::server::Handle;

use super::switch::is_used;
use crate::operation::{cast, primitive};

/// A tensor on wgpu.
pub(super) type GpuTensor = CubeTensor<WgpuRuntime>;

/// Returns a contiguous tensor on the device of another one.
pub(super) fn tensor_on(other: &GpuTensor, values: Handle, shape: Shape) -> GpuTensor {
    let (client, device) = (other.client.clone(), other.device.clone());
    CubeTensor::new_contiguous(client, device, shape, values, DType::F32)
}

/// Returns a tensor as one of wgpu, if it is one of contiguous 32-bit floats.
pub(super) fn on_gpu<B: Backend, const D: usize>(tensor: &Tensor<B, D>) -> Option<GpuTensor> {
    let tensor: GpuTensor = cast(primitive(tensor.clone())).ok()?;
    (is_used() && tensor.dtype() == DType::F32).then(|| into_contiguous(tensor))
}
