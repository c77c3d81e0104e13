//! The gradient of a ReLU on its own.

use crate::arch::generic::ReluBackward;
use crate::context::Context;
use crate::scratch::Scratch;

/// Returns the gradient of one image before the ReLU with this output.
pub(crate) fn relu_backward(context: &Context, grad_output: &[f32], output: &[f32]) -> Scratch {
    let mut grad_input = context.scratch.take(grad_output.len());
    context.run(ReluBackward { output, grad_output, grad_input: &mut grad_input });
    grad_input
}
