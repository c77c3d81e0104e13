//! The fused CPU kernels of nin-kernels, and the mean of class maps, as operations on any Burn backend.
//!
//! Burn's CPU backends run this network at a fraction of the CPU's peak (docs/performance.md). [`run`] looks at the type
//! behind `B: Backend`. If it is a CPU backend, with or without autodiff, and the operands are 32-bit floats, it computes
//! the operation. Otherwise it returns the operands, and the caller uses Burn's own operations.

mod host;
mod inference;
mod maps;
mod mlpconv;

pub(crate) use inference::{Answer, Blocks, Sizes};
pub(crate) use maps::MapMeans;
pub(crate) use mlpconv::MlpconvBlock;

use std::any::TypeId;
use std::fmt::Debug;

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

use crate::operation::{Operation, run_on};
use host::Host;

/// An [`Operation`] on every CPU backend. Its operands and the output gradient are contiguous.
pub(crate) trait HostOperation<const N: usize>: Clone + Debug + Send + 'static {
    /// As in [`Operation`].
    type Saved: Clone + Debug + Send + 'static;

    /// As in [`Operation`].
    fn forward<H: Host>(
        &self,
        operands: &[FloatTensor<H>; N],
        for_training: bool,
    ) -> (FloatTensor<H>, Self::Saved);

    /// As in [`Operation`].
    fn backward<H: Host>(
        &self,
        operands: &[FloatTensor<H>; N],
        output: &FloatTensor<H>,
        saved: &Self::Saved,
        gradient: &FloatTensor<H>,
        wanted: [bool; N],
    ) -> [Option<FloatTensor<H>>; N];
}

impl<H: Host, O: HostOperation<N>, const N: usize> Operation<H, N> for O {
    type Saved = O::Saved;

    fn lay_out(tensor: FloatTensor<H>) -> FloatTensor<H> {
        H::contiguous(tensor)
    }

    fn forward(
        &self,
        operands: &[FloatTensor<H>; N],
        for_training: bool,
    ) -> (FloatTensor<H>, Self::Saved) {
        HostOperation::forward::<H>(self, operands, for_training)
    }

    fn backward(
        &self,
        operands: &[FloatTensor<H>; N],
        output: &FloatTensor<H>,
        saved: &Self::Saved,
        gradient: &FloatTensor<H>,
        wanted: [bool; N],
    ) -> [Option<FloatTensor<H>>; N] {
        HostOperation::backward::<H>(self, operands, output, saved, gradient, wanted)
    }
}

/// Runs the operation if `B` is a CPU backend; otherwise returns the operands.
pub(crate) fn run<B: Backend, O: HostOperation<N>, const N: usize>(
    operation: &O,
    operands: [FloatTensor<B>; N],
) -> Result<FloatTensor<B>, [FloatTensor<B>; N]> {
    #[cfg(feature = "ndarray")]
    let operands = match run_on::<B, burn_ndarray::NdArray<f32>, _, N>(operation, operands) {
        Ok(output) => return Ok(output),
        Err(operands) => operands,
    };
    #[cfg(feature = "flex")]
    let operands = match run_on::<B, burn_flex::Flex, _, N>(operation, operands) {
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
