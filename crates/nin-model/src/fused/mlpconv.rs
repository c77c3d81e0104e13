//! An mlpconv block and its max pooling by nin-kernels.

use std::sync::Arc;

use burn::tensor::TensorMetadata;
use burn::tensor::ops::FloatTensor;
use nin_kernels::{
    Context, ConvInput, MlpconvBackward, MlpconvGeometry, MlpconvSaved, MlpconvWeights, Scratch,
};

use super::HostOperation;
use super::host::{Host, values};

/// An mlpconv block. Its operands are the input, then weight and bias of each layer.
#[derive(Debug, Clone)]
pub(crate) struct MlpconvBlock {
    pub(crate) context: Context,
    pub(crate) geometry: MlpconvGeometry,
    /// Whether the input is `[batch, channels, height, width]` instead of panels.
    pub(crate) input_is_planes: bool,
    /// `[batch, panels, pixels, 16]`
    pub(crate) output_shape: [usize; 4],
}

/// The activations that the forward pass saves for the backward pass.
#[derive(Debug)]
pub(crate) struct SavedForBackward {
    /// The outputs of the first two layers, in panels: most of the memory of a step, which buffers of the context reuse.
    hidden: [Scratch; 2],
    /// The position of each maximum in its window, one byte each.
    positions: Scratch,
}

/// The geometry comes from the same tensors whose lengths the kernel checks.
const LENGTHS: &str = "tensors have the lengths of their geometry";

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

impl HostOperation<7> for MlpconvBlock {
    type Saved = Arc<SavedForBackward>;

    fn forward<H: Host>(
        &self,
        operands: &[FloatTensor<H>; 7],
        for_training: bool,
    ) -> (FloatTensor<H>, Arc<SavedForBackward>) {
        let mut output = vec![0.0; self.geometry.output_len()];
        let saved_len = |length| if for_training { length } else { 0 };
        let mut saved = SavedForBackward {
            hidden: self
                .geometry
                .hidden_len(&self.context)
                .map(|length| self.context.buffer(saved_len(length))),
            // Whole panels of 16, and so whole `f32`.
            positions: self
                .context
                .buffer(saved_len(self.geometry.positions_len()) / size_of::<f32>()),
        };
        let written = for_training.then(|| MlpconvSaved {
            hidden: saved.hidden.each_mut().map(|hidden| &mut **hidden),
            positions: saved.positions.bytes_mut(),
        });
        let input = self.input::<H>(operands);
        self.context
            .mlpconv_forward(&self.geometry, input, &weights::<H>(operands), &mut output, written)
            .expect(LENGTHS);
        (H::tensor(output, &self.output_shape), Arc::new(saved))
    }

    fn backward<H: Host>(
        &self,
        operands: &[FloatTensor<H>; 7],
        output: &FloatTensor<H>,
        saved: &Arc<SavedForBackward>,
        gradient: &FloatTensor<H>,
        wanted: [bool; 7],
    ) -> [Option<FloatTensor<H>>; 7] {
        let len = |at: usize| values::<H>(&operands[at]).len();
        let mut gradients: [Option<Vec<f32>>; 7] =
            std::array::from_fn(|at| wanted[at].then(|| vec![0.0; len(at)]));
        // The kernel always writes the weight gradients; those that are not wanted go to scratch memory.
        let mut unwanted =
            [1, 3, 5].map(|at| self.context.buffer(if wanted[at] { 0 } else { len(at) }));
        let [input, weight_1, bias_1, weight_2, bias_2, weight_3, bias_3] = &mut gradients;
        let [unwanted_1, unwanted_2, unwanted_3] = &mut unwanted;
        let work = MlpconvBackward {
            input: self.input::<H>(operands),
            weights: weights::<H>(operands),
            hidden: saved.hidden.each_ref().map(|hidden| &**hidden),
            positions: saved.positions.bytes(),
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
        self.context.mlpconv_backward(&self.geometry, work).expect(LENGTHS);
        let mut shapes = operands.iter().map(|operand| operand.shape().to_vec());
        gradients.map(|gradient| {
            let shape = shapes.next()?;
            Some(H::tensor(gradient?, &shape))
        })
    }
}
