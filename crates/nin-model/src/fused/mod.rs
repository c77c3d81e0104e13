//! The fused CPU kernels of nin-kernels, behind functions that are generic over any backend.
//!
//! Burn's CPU backends run this network at a fraction of what the CPU can do (docs/performance.md).
//! These operations look at the type behind `B: Backend`: where it is one of the CPU backends, with
//! or without autodiff, and holds 32-bit floats, a kernel takes its place; else they give the
//! operands back, and the caller takes Burn's own operations.

mod host;
mod mlpconv;
mod timing;

pub(crate) use mlpconv::MlpconvBlock;
pub use timing::{LayerTiming, NetworkTiming, time_layers};

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use nin_kernels::{Cpu, Isa};

use crate::operation::run_on;

/// Runs the block where `B` is a CPU backend; gives the operands back where it is not.
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

/// Whether the fused kernels of this process multiply bf16: [`Precision::Bf16`](crate::Precision::Bf16) makes a difference.
pub fn computes_in_bf16() -> bool {
    Cpu::shared().is_ok_and(|cpu| cpu.computes_in_bf16())
}

/// Whether this CPU multiplies tiles of bf16 (AMX) and the system lets this process use them; it is asked to, where the CPU
/// has them.
pub fn has_tiles() -> bool {
    Isa::Amx.is_available()
}

/// The name of the instruction set that results of this precision depend on, bit for bit; `None` where `NIN_CPU` names what
/// this CPU lacks.
pub fn kernels_in(precision: crate::Precision) -> Option<&'static str> {
    let cpu = Cpu::shared().ok()?.with_precision(precision.into());
    Some(cpu.arithmetic().name())
}

/// Chooses instruction set (`NIN_CPU`, else the best) and threads of the fused kernels, for the
/// whole process; gives the instruction set's name.
///
/// # Errors
/// Where `NIN_CPU` names none, or one that this CPU lacks, or threads cannot be started.
pub fn configure_kernels(threads: usize) -> Result<&'static str, nin_kernels::Error> {
    let cpu = Cpu::new(Isa::detect()?, threads)?;
    let name = cpu.name();
    cpu.set_shared();
    Ok(name)
}
