//! An operation with a gradient of its own on whichever CPU backend stands behind `B`.
//!
//! After burn-book's "backend extension", without a backend trait of its own: the primitives are
//! cast by `Any`, which also finds `Autodiff` over a CPU backend whatever its checkpointing
//! strategy, since its tensors do not carry it.

use std::any::Any;
use std::fmt::Debug;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

use super::host::Host;

/// A tensor of `Autodiff` over a CPU backend.
type AutodiffTensor<H> = FloatTensor<Autodiff<H>>;

/// An operation of `N` operands on a CPU backend.
pub(crate) trait FusedOperation<const N: usize>: Clone + Debug + Send + 'static {
    /// What the gradient needs besides operands and output.
    type Kept: Clone + Debug + Send + 'static;

    /// The output, and, where `for_training`, what its gradient needs.
    fn forward<H: Host>(
        &self,
        operands: &[FloatTensor<H>; N],
        for_training: bool,
    ) -> (FloatTensor<H>, Self::Kept);

    /// The gradient of each operand that is wanted.
    fn backward<H: Host>(
        &self,
        operands: &[FloatTensor<H>; N],
        output: &FloatTensor<H>,
        kept: &Self::Kept,
        gradient: &FloatTensor<H>,
        wanted: [bool; N],
    ) -> [Option<FloatTensor<H>>; N];
}

/// Runs the operation where `B` is a CPU backend; gives the operands back where it is not.
pub(crate) fn run<B: Backend, O: FusedOperation<N>, const N: usize>(
    operation: &O,
    operands: [FloatTensor<B>; N],
) -> Result<FloatTensor<B>, [FloatTensor<B>; N]> {
    #[cfg(feature = "ndarray")]
    let operands = match run_on::<B, burn_ndarray::NdArray<f32>, O, N>(operation, operands) {
        Ok(output) => return Ok(output),
        Err(operands) => operands,
    };
    #[cfg(feature = "flex")]
    let operands = match run_on::<B, burn_flex::Flex, O, N>(operation, operands) {
        Ok(output) => return Ok(output),
        Err(operands) => operands,
    };
    Err(operands)
}

fn run_on<B: Backend, H: Host, O: FusedOperation<N>, const N: usize>(
    operation: &O,
    operands: [FloatTensor<B>; N],
) -> Result<FloatTensor<B>, [FloatTensor<B>; N]> {
    let operands = match cast::<_, [FloatTensor<H>; N]>(operands) {
        Ok(plain) if plain.iter().all(H::is_f32) => {
            let plain = plain.map(H::contiguous);
            return Ok(uncast(operation.forward::<H>(&plain, false).0));
        }
        Ok(plain) => uncast(plain),
        Err(operands) => operands,
    };
    match cast::<_, [AutodiffTensor<H>; N]>(operands) {
        Ok(tracked) if tracked.iter().all(|tensor| H::is_f32(&tensor.primitive)) => {
            Ok(uncast(track::<H, O, N>(operation, tracked)))
        }
        Ok(tracked) => Err(uncast(tracked)),
        Err(operands) => Err(operands),
    }
}

fn track<H: Host, O: FusedOperation<N>, const N: usize>(
    operation: &O,
    operands: [AutodiffTensor<H>; N],
) -> AutodiffTensor<H> {
    let nodes = operands.each_ref().map(|operand| operand.node.clone());
    let operands = operands.map(|operand| H::contiguous(operand.primitive));
    let prepared = Backpropagation::<O>(std::marker::PhantomData)
        .prepare::<NoCheckpointing>(nodes)
        .compute_bound()
        .stateful();
    match prepared {
        OpsKind::Tracked(prepared) => {
            let (output, kept) = operation.forward::<H>(&operands, true);
            let state =
                State { operation: operation.clone(), operands, output: output.clone(), kept };
            prepared.finish(state, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(operation.forward::<H>(&operands, false).0),
    }
}

#[derive(Debug)]
struct Backpropagation<O>(std::marker::PhantomData<O>);

#[derive(Debug, Clone)]
struct State<O, K, T, const N: usize> {
    operation: O,
    operands: [T; N],
    output: T,
    kept: K,
}

impl<H: Host, O: FusedOperation<N>, const N: usize> Backward<H, N> for Backpropagation<O> {
    type State = State<O, O::Kept, FloatTensor<H>, N>;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let State { operation, operands, output, kept } = ops.state;
        let gradient = H::contiguous(gradients.consume::<H>(&ops.node));
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let computed = operation.backward::<H>(&operands, &output, &kept, &gradient, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(computed) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<H>(parent.id, gradient);
            }
        }
    }
}

/// The value as a `T`, where it is one.
fn cast<A: 'static, T: 'static>(value: A) -> Result<T, A> {
    let mut slot = Some(value);
    let cast = (&mut slot as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take);
    match (cast, slot) {
        (Some(cast), _) => Ok(cast),
        (None, Some(value)) => Err(value),
        (None, None) => unreachable!("an empty slot was taken from"),
    }
}

/// The way back to the type that [`cast`] came from.
fn uncast<T: 'static, A: 'static>(value: T) -> A {
    cast(value).unwrap_or_else(|_| unreachable!("the operands were cast from this type"))
}
