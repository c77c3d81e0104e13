//! Buffers of nin-gpu as tensors of Burn.

use burn::tensor::{DType, Shape};
use burn_wgpu::{CubeTensor, WgpuRuntime};
use cubecl::server::Handle;

/// A tensor on wgpu.
pub(super) type GpuTensor = CubeTensor<WgpuRuntime>;

/// Returns a contiguous tensor on the device of another one.
pub(super) fn tensor_on(other: &GpuTensor, values: Handle, shape: Shape) -> GpuTensor {
    let (client, device) = (other.client.clone(), other.device.clone());
    CubeTensor::new_contiguous(client, device, shape, values, DType::F32)
}
