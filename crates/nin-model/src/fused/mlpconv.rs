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
    /// Where in its window each maximum was.
    positions: Vec<u8>,
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
            positions: vec![0; kept_len(self.geometry.positions_len())],
        };
        let written = for_training.then(|| MlpconvKept {
            hidden: kept.hidden.each_mut().map(|hidden| &mut **hidden),
            positions: &mut kept.positions,
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
        let mut gradients =
            operands.each_ref().map(|operand| vec![0.0; values::<H>(operand).len()]);
        let [input, weight_1, bias_1, weight_2, bias_2, weight_3, bias_3] = &mut gradients;
        let work = MlpconvBackward {
            input: self.input::<H>(operands),
            weights: weights::<H>(operands),
            hidden: kept.hidden.each_ref().map(|hidden| &**hidden),
            positions: &kept.positions,
            output: values::<H>(output),
            grad_output: values::<H>(gradient),
            grad_input: wanted[0].then_some(input),
            grad_weight: [weight_1, weight_2, weight_3],
            grad_bias: [bias_1, bias_2, bias_3].map(|bias| Some(bias.as_mut_slice())),
        };
        self.cpu.mlpconv_backward(&self.geometry, work).expect(LENGTHS);
        let mut shapes = operands.iter().map(|operand| operand.shape().to_vec());
        let mut wanted = wanted.into_iter();
        gradients.map(|gradient| {
            let shape = shapes.next()?;
            wanted.next()?.then(|| H::tensor(gradient, &shape))
        })
    }
}
