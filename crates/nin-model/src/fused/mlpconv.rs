//! A whole block by nin-kernels: convolution, two 1x1 convolutions, and the max pool behind.

use std::sync::Arc;

use burn::tensor::TensorMetadata;
use burn::tensor::ops::FloatTensor;
use nin_kernels::{
    ConvInput, Cpu, MlpconvBackward, MlpconvGeometry, MlpconvKept, MlpconvWeights, Scratch,
};

use super::host::Host;
use crate::operation::Operation;

/// A block; its operands are the input, then weight and bias of each layer.
#[derive(Debug, Clone)]
pub(crate) struct MlpconvBlock {
    pub(crate) cpu: Cpu,
    pub(crate) geometry: MlpconvGeometry,
    /// Whether the input is plain `[batch, channels, height, width]` images, and not panels.
    pub(crate) input_is_planes: bool,
    /// `[batch, panels, pixels, 16]`
    pub(crate) output_shape: [usize; 4],
}

/// What the gradients need of the forward pass.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The outputs of the first two layers, in panels: most of what a step holds, and too much to ask of the system anew
    /// at each.
    hidden: [Scratch; 2],
    /// Where in its window each maximum was, a byte each.
    positions: Scratch,
}

/// The geometry was computed from the very tensors whose lengths the kernel checks.
const LENGTHS: &str = "tensors have the lengths of their geometry";

/// Contiguous 32-bit floats, as `operation::run_on` has made sure.
fn values<H: Host>(tensor: &FloatTensor<H>) -> &[f32] {
    H::values(tensor).expect("operands are contiguous 32-bit floats")
}

fn weights<H: Host>(operands: &[FloatTensor<H>; 7]) -> MlpconvWeights<'_> {
    let [_, weight_1, bias_1, weight_2, bias_2, weight_3, bias_3] = operands;
    MlpconvWeights {
        weight: [weight_1, weight_2, weight_3].map(values::<H>),
        bias: [bias_1, bias_2, bias_3].map(|bias| Some(values::<H>(bias))),
    }
}

impl MlpconvBlock {
    fn input<'a, H: Host>(&self, operands: &'a [FloatTensor<H>; 7]) -> ConvInput<'a> {
        let input = values::<H>(&operands[0]);
        if self.input_is_planes { ConvInput::Planes(input) } else { ConvInput::Panels(input) }
    }
}

impl<H: Host> Operation<H, 7> for MlpconvBlock {
    type Kept = Arc<Kept>;

    fn lay_out(tensor: FloatTensor<H>) -> FloatTensor<H> {
        H::contiguous(tensor)
    }

    fn forward(
        &self,
        operands: &[FloatTensor<H>; 7],
        for_training: bool,
    ) -> (FloatTensor<H>, Arc<Kept>) {
        let mut output = vec![0.0; self.geometry.output_len()];
        let kept_len = |length| if for_training { length } else { 0 };
        let mut kept = Kept {
            hidden: self.geometry.hidden_len().map(|length| self.cpu.buffer(kept_len(length))),
            // Whole panels of 16, so that they fill their buffer.
            positions: self.cpu.buffer(kept_len(self.geometry.positions_len()) / size_of::<f32>()),
        };
        let written = for_training.then(|| MlpconvKept {
            hidden: kept.hidden.each_mut().map(|hidden| &mut **hidden),
            positions: kept.positions.bytes_mut(),
        });
        let input = self.input::<H>(operands);
        self.cpu
            .mlpconv_forward(&self.geometry, input, &weights::<H>(operands), &mut output, written)
            .expect(LENGTHS);
        (H::tensor(output, &self.output_shape), Arc::new(kept))
    }

    fn backward(
        &self,
        operands: &[FloatTensor<H>; 7],
        output: &FloatTensor<H>,
        kept: &Arc<Kept>,
        gradient: &FloatTensor<H>,
        wanted: [bool; 7],
    ) -> [Option<FloatTensor<H>>; 7] {
        let len = |at: usize| values::<H>(&operands[at]).len();
        let mut gradients: [Option<Vec<f32>>; 7] =
            std::array::from_fn(|at| wanted[at].then(|| vec![0.0; len(at)]));
        // A layer's weights get their gradient in any case: where nobody wants it, in the pool's memory.
        let mut unwanted =
            [1, 3, 5].map(|at| self.cpu.buffer(if wanted[at] { 0 } else { len(at) }));
        let [input, weight_1, bias_1, weight_2, bias_2, weight_3, bias_3] = &mut gradients;
        let [unwanted_1, unwanted_2, unwanted_3] = &mut unwanted;
        let work = MlpconvBackward {
            input: self.input::<H>(operands),
            weights: weights::<H>(operands),
            hidden: kept.hidden.each_ref().map(|hidden| &**hidden),
            positions: kept.positions.bytes(),
            output: values::<H>(output),
            grad_output: values::<H>(gradient),
            grad_input: input.as_deref_mut(),
            grad_weight: [
                weight_1.as_deref_mut().unwrap_or(unwanted_1),
                weight_2.as_deref_mut().unwrap_or(unwanted_2),
                weight_3.as_deref_mut().unwrap_or(unwanted_3),
            ],
            grad_bias: [bias_1, bias_2, bias_3].map(Option::as_deref_mut),
        };
        self.cpu.mlpconv_backward(&self.geometry, work).expect(LENGTHS);
        let mut shapes = operands.iter().map(|operand| operand.shape().to_vec());
        gradients.map(|gradient| {
            let shape = shapes.next()?;
            Some(H::tensor(gradient?, &shape))
        })
    }
}
