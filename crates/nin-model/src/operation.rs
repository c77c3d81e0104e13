//! An operation with a gradient of its own on a backend that may stand behind `B`.
//!
//! After burn-book's "backend extension", without a backend trait of its own: the primitives are
//! cast by `Any`, which also finds `Autodiff` over that backend whatever its checkpointing
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
use burn::tensor::{DType, TensorMetadata};

/// A tensor of `Autodiff` over a backend.
type AutodiffTensor<I> = FloatTensor<Autodiff<I>>;

/// An operation of `N` operands, all of 32-bit floats, on a backend.
pub(crate) trait Operation<I: Backend, const N: usize>:
    Clone + Debug + Send + 'static
{
    /// What the gradient needs besides operands and output.
    type Kept: Clone + Debug + Send + 'static;

    /// An operand, or the output's gradient, laid out as the operation wants it.
    fn lay_out(tensor: FloatTensor<I>) -> FloatTensor<I> {
        tensor
    }

    /// The output, and, where `for_training`, what its gradient needs.
    fn forward(
        &self,
        operands: &[FloatTensor<I>; N],
        for_training: bool,
    ) -> (FloatTensor<I>, Self::Kept);

    /// The gradient of each operand that is wanted.
    fn backward(
        &self,
        operands: &[FloatTensor<I>; N],
        output: &FloatTensor<I>,
        kept: &Self::Kept,
        gradient: &FloatTensor<I>,
        wanted: [bool; N],
    ) -> [Option<FloatTensor<I>>; N];
}

/// Runs the operation where `B` is this backend, with or without autodiff; gives the operands back where it is not.
pub(crate) fn run_on<B: Backend, I: Backend, O: Operation<I, N>, const N: usize>(
    operation: &O,
    operands: [FloatTensor<B>; N],
) -> Result<FloatTensor<B>, [FloatTensor<B>; N]> {
    let operands = match cast::<_, [FloatTensor<I>; N]>(operands) {
        Ok(plain) if plain.iter().all(is_f32::<I>) => {
            let plain = plain.map(O::lay_out);
            return Ok(uncast(operation.forward(&plain, false).0));
        }
        Ok(plain) => uncast(plain),
        Err(operands) => operands,
    };
    match cast::<_, [AutodiffTensor<I>; N]>(operands) {
        Ok(tracked) if tracked.iter().all(|tensor| is_f32::<I>(&tensor.primitive)) => {
            Ok(uncast(track::<I, O, N>(operation, tracked)))
        }
        Ok(tracked) => Err(uncast(tracked)),
        Err(operands) => Err(operands),
    }
}

fn is_f32<I: Backend>(tensor: &FloatTensor<I>) -> bool {
    tensor.dtype() == DType::F32
}

fn track<I: Backend, O: Operation<I, N>, const N: usize>(
    operation: &O,
    operands: [AutodiffTensor<I>; N],
) -> AutodiffTensor<I> {
    let nodes = operands.each_ref().map(|operand| operand.node.clone());
    let operands = operands.map(|operand| O::lay_out(operand.primitive));
    let prepared = Backpropagation::<O>(std::marker::PhantomData)
        .prepare::<NoCheckpointing>(nodes)
        .compute_bound()
        .stateful();
    match prepared {
        OpsKind::Tracked(prepared) => {
            let (output, kept) = operation.forward(&operands, true);
            let state =
                State { operation: operation.clone(), operands, output: output.clone(), kept };
            prepared.finish(state, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(operation.forward(&operands, false).0),
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

impl<I: Backend, O: Operation<I, N>, const N: usize> Backward<I, N> for Backpropagation<O> {
    type State = State<O, O::Kept, FloatTensor<I>, N>;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let State { operation, operands, output, kept } = ops.state;
        let gradient = O::lay_out(gradients.consume::<I>(&ops.node));
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let computed = operation.backward(&operands, &output, &kept, &gradient, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(computed) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<I>(parent.id, gradient);
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
