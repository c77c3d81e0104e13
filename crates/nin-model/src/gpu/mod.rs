//! The GPU kernels of nin-gpu on Burn's wgpu backend: blocks, what follows them, and operations on many tensors.
//!
//! [`run`] looks at the type behind `B: Backend`, as [`crate::fused`] does for CPU backends. If it is wgpu, with or without
//! autodiff, and no buffer of the block is too large for the adapter, nin-gpu computes the block. Otherwise it returns the
//! operands, and the caller uses [`crate::unfolded`].

mod block;
mod buffers;
mod cost;
mod dropout;
mod head;
mod many;
mod switch;
mod update;

pub(crate) use block::GpuBlock;
pub use cost::{GpuLayer, gpu_layers};
pub(crate) use dropout::dropout;
pub(crate) use head::{cross_entropy, map_means};
pub(crate) use many::{parts_of_sums, scaled};
pub use switch::{GpuPath, gpu_path, set_gpu_path};
pub(crate) use update::{adamw, sgd, together};

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn_wgpu::{Wgpu, WgpuDevice, WgpuRuntime};
use cubecl::Runtime;
use nin_gpu::Element;

use self::switch::{element, is_used};
use crate::Precision;
use crate::operation::{cast, run_on};

/// Runs the block if `B` is wgpu; otherwise returns the operands. f16 is for adapters that have it.
pub(crate) fn run<B: Backend>(
    block: GpuBlock,
    precision: Precision,
    device: B::Device,
    operands: [FloatTensor<B>; 7],
) -> Result<FloatTensor<B>, [FloatTensor<B>; 7]> {
    let Ok(device) = cast::<_, WgpuDevice>(device) else { return Err(operands) };
    let client = WgpuRuntime::client(&device);
    if !is_used() || !block.fits(&client) {
        return Err(operands);
    }
    let element = element(precision);
    let block = if element.is_supported(&client) { block.with_element(element) } else { block };
    run_on::<B, Wgpu, _, 7>(&block, operands)
}

/// Returns whether `B` is wgpu and nin-gpu is used.
pub(crate) fn is_used_on<B: Backend>(device: &B::Device) -> bool {
    is_used() && cast::<_, WgpuDevice>(device.clone()).is_ok()
}

/// Returns what a device lacks to compute in f16; `None` if it has everything.
pub(crate) fn missing_for_f16<B: Backend>(device: &B::Device) -> Option<&'static str> {
    match cast::<_, WgpuDevice>(device.clone()) {
        Err(_) => Some("a GPU, and this backend computes on the CPU"),
        Ok(_) if !is_used() => Some("the kernels of nin-gpu, which `NIN_GPU=products` turns off"),
        Ok(device) if !Element::F16.is_supported(&WgpuRuntime::client(&device)) => {
            Some("16-bit floats in shaders, and this adapter has none")
        }
        Ok(_) => None,
    }
}
