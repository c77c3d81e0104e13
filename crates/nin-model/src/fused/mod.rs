//! The fused CPU kernels of nin-kernels as an operation on any Burn backend.
//!
//! Burn's CPU backends run this network at a fraction of the CPU's peak (docs/performance.md). [`run`] looks at the type
//! behind `B: Backend`. If it is a CPU backend, with or without autodiff, and the operands are 32-bit floats, a kernel
//! computes the block. Otherwise it returns the operands, and the caller uses Burn's own operations.

mod host;
mod inference;
mod mlpconv;

pub(crate) use inference::{Answer, Blocks, Sizes};
pub(crate) use mlpconv::MlpconvBlock;

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

use std::any::TypeId;

use crate::operation::run_on;

/// Runs the block if `B` is a CPU backend; otherwise returns the operands.
pub(crate) fn run<B: Backend>(
    block: &MlpconvBlock,
    operands: [FloatTensor<B>; 7],
) -> Result<FloatTensor<B>, [FloatTensor<B>; 7]> {
    #[cfg(feature = "ndarray")]
    let operands = match run_on::<B, burn_ndarray::NdArray<f32>, _, 7>(block, operands) {
        Ok(output) => return Ok(output),
        Err(operands) => operands,
    };
    #[cfg(feature = "flex")]
    let operands = match run_on::<B, burn_flex::Flex, _, 7>(block, operands) {
        Ok(output) => return Ok(output),
        Err(operands) => operands,
    };
    Err(operands)
}

/// Returns whether `B` is a CPU backend, without autodiff.
pub(crate) fn is_host<B: Backend>() -> bool {
    let tensor = TypeId::of::<FloatTensor<B>>();
    #[cfg(feature = "ndarray")]
    if tensor == TypeId::of::<FloatTensor<burn_ndarray::NdArray<f32>>>() {
        return true;
    }
    #[cfg(feature = "flex")]
    if tensor == TypeId::of::<FloatTensor<burn_flex::Flex>>() {
        return true;
    }
    false
}
