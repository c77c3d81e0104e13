//! Operations with custom gradients on one concrete backend, behind a generic `B: Backend`.
//!
//! This is the "backend extension" of the Burn book without a backend trait. Primitives are downcast by `Any`, which also
//! finds `Autodiff` over the backend, whatever its checkpointing strategy: the tensor type does not depend on it.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Tensor, TensorMetadata, TensorPrimitive};

/// A tensor of `Autodiff` over a backend.
type AutodiffTensor<I> = FloatTensor<Autodiff<I>>;

/// An operation on `N` operands of 32-bit floats.
pub(crate) trait Operation<I: Backend, const N: usize>:
    Clone + Debug + Send + 'static
{
    /// What the forward pass saves for the backward pass, in addition to operands and output.
    type Saved: Clone + Debug + Send + 'static;

    /// Converts an operand or the output gradient to the memory layout that the operation requires.
    fn lay_out(tensor: FloatTensor<I>) -> FloatTensor<I> {
        tensor
    }

    /// Computes the output, and saves what the backward pass needs if `for_training`.
    fn forward(
        &self,
        operands: &[FloatTensor<I>; N],
        for_training: bool,
    ) -> (FloatTensor<I>, Self::Saved);

    /// Computes the gradients of the operands that are `wanted`.
    fn backward(
        &self,
        operands: &[FloatTensor<I>; N],
        output: &FloatTensor<I>,
        saved: &Self::Saved,
        gradient: &FloatTensor<I>,
        wanted: [bool; N],
    ) -> [Option<FloatTensor<I>>; N];
}

/// Runs the operation if `B` is the backend `I`, with or without autodiff; otherwise returns the operands.
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
    // Like Burn's own operations, this one holds its operands' references until its output is registered. Otherwise the end of
    // a backward pass, of any thread, would free their graph as one that no tensor refers to.
    let _keep_alive = operands.each_ref().map(|operand| Arc::clone(&operand.rc));
    let operands = operands.map(|operand| O::lay_out(operand.primitive));
    let prepared = Backpropagation::<O>(std::marker::PhantomData)
        .prepare::<NoCheckpointing>(nodes)
        .compute_bound()
        .stateful();
    match prepared {
        OpsKind::Tracked(prepared) => {
            let (output, saved) = operation.forward(&operands, true);
            let state =
                State { operation: operation.clone(), operands, output: output.clone(), saved };
            prepared.finish(state, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(operation.forward(&operands, false).0),
    }
}

#[derive(Debug)]
struct Backpropagation<O>(std::marker::PhantomData<O>);

#[derive(Debug, Clone)]
struct State<O, S, T, const N: usize> {
    operation: O,
    operands: [T; N],
    output: T,
    saved: S,
}

impl<I: Backend, O: Operation<I, N>, const N: usize> Backward<I, N> for Backpropagation<O> {
    type State = State<O, O::Saved, FloatTensor<I>, N>;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let State { operation, operands, output, saved } = ops.state;
        let gradient = O::lay_out(gradients.consume::<I>(&ops.node));
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let computed = operation.backward(&operands, &output, &saved, &gradient, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(computed) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<I>(parent.id, gradient);
            }
        }
    }
}

/// Returns the value as a `T`, if it is one.
pub(crate) fn cast<A: 'static, T: 'static>(value: A) -> Result<T, A> {
    let mut slot = Some(value);
    let cast = (&mut slot as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take);
    match (cast, slot) {
        (Some(cast), _) => Ok(cast),
        (None, Some(value)) => Err(value),
        (None, None) => unreachable!("an empty slot was taken from"),
    }
}

/// Converts back to the type that was [`cast`].
pub(crate) fn uncast<T: 'static, A: 'static>(value: T) -> A {
    cast(value).unwrap_or_else(|_| unreachable!("the operands were cast from this type"))
}

/// Returns the primitive of a float tensor.
pub(crate) fn primitive<B: Backend, const D: usize>(
    tensor: Tensor<B, D>,
) -> B::FloatTensorPrimitive {
    tensor.into_primitive().tensor()
}

/// Returns the float tensor of a primitive.
pub(crate) fn tensor<B: Backend, const D: usize>(
    primitive: B::FloatTensorPrimitive,
) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Tensor;
    use burn_flex::{Flex, FlexDevice};

    use super::*;

    type Training = Autodiff<Flex>;

    /// The identity, which computes a backward pass of something else meanwhile, as another thread would.
    #[derive(Debug, Clone)]
    struct Interrupted;

    impl Operation<Flex, 1> for Interrupted {
        type Saved = ();

        fn forward(
            &self,
            [operand]: &[FloatTensor<Flex>; 1],
            _for_training: bool,
        ) -> (FloatTensor<Flex>, ()) {
            let other = Tensor::<Training, 1>::ones([1], &FlexDevice).require_grad();
            drop(other.mul_scalar(2.0).backward());
            (operand.clone(), ())
        }

        fn backward(
            &self,
            _operands: &[FloatTensor<Flex>; 1],
            _output: &FloatTensor<Flex>,
            (): &(),
            gradient: &FloatTensor<Flex>,
            _wanted: [bool; 1],
        ) -> [Option<FloatTensor<Flex>>; 1] {
            [Some(gradient.clone())]
        }
    }

    #[test]
    fn a_backward_pass_during_an_operation_loses_no_gradient() {
        let weight = Tensor::<Training, 1>::ones([1], &FlexDevice).require_grad();
        // The first backward pass takes the weight out of its graph. From the second on, the operand is alone in it.
        for pass in 0..3 {
            let hidden = weight.clone().mul_scalar(3.0);
            let output = run_on::<Training, Flex, _, 1>(&Interrupted, [primitive(hidden)]);
            let output = tensor::<Training, 1>(output.unwrap());
            let gradient = weight.grad(&output.backward());
            assert_eq!(gradient.map(Tensor::into_scalar), Some(3.0), "pass {pass}");
        }
    }
}
