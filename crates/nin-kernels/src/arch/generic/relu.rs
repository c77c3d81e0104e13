//! The gradient of a ReLU, for gradients that no other kernel masks on the way.

use crate::arch::{Operation, Vector};

/// `grad_input = grad_output` where `output` is positive, 0 elsewhere. The slices have equal lengths, in whole panels.
pub(crate) struct ReluBackward<'a> {
    pub(crate) output: &'a [f32],
    pub(crate) grad_output: &'a [f32],
    pub(crate) grad_input: &'a mut [f32],
}

impl Operation for ReluBackward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let operands =
            self.grad_output.chunks_exact(V::LANES).zip(self.output.chunks_exact(V::LANES));
        for ((gradient, output), to) in operands.zip(self.grad_input.chunks_exact_mut(V::LANES)) {
            // SAFETY: chunks of one vector each; the features by the caller.
            unsafe {
                V::load(gradient.as_ptr())
                    .gated_by(V::load(output.as_ptr()))
                    .store(to.as_mut_ptr());
            }
        }
    }
}
