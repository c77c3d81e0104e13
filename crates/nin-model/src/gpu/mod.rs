//! The GPU kernels of nin-gpu as an operation on Burn's wgpu backend.
//!
//! [`run`] looks at the type behind `B: Backend`, as [`crate::fused`] does for CPU backends. If it is wgpu, with or without
//! autodiff, and no buffer of the block is too large for the adapter, nin-gpu computes the block. Otherwise it returns the
//! operands, and the caller uses [`crate::unfolded`].

mod block;
mod buffers;
mod cost;
mod switch;
mod update;

pub(crate) use block::GpuBlock;
pub use cost::{GpuLayer, gpu_layers};
pub use switch::{GpuPath, set_gpu_path};
pub(crate) use update::{adamw, sgd};

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn_wgpu::{Wgpu, WgpuDevice, WgpuRuntime};
use cubecl::Runtime;

use self::switch::is_used;
use crate::operation::{cast, run_on};

/// Runs the block if `B` is wgpu; otherwise returns the operands.
pub(crate) fn run<B: Backend>(
    block: &GpuBlock,
    device: B::Device,
    operands: [FloatTensor<B>; 7],
) -> Result<FloatTensor<B>, [FloatTensor<B>; 7]> {
    match cast::<_, WgpuDevice>(device) {
        Ok(device) if is_used() && block.fits(&WgpuRuntime::client(&device)) => {
            run_on::<B, Wgpu, _, 7>(block, operands)
        }
        _ => Err(operands),
    }
}
