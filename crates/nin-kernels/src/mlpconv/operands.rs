//! The operands of an mlpconv block.

use super::geometry::MlpconvGeometry;
use crate::conv::{ConvInput, Kept, LayerWeights};
use crate::error::{Error, expect_len};

/// The weights and biases of the three layers.
#[derive(Debug, Clone, Copy)]
pub struct MlpconvWeights<'a> {
    /// `[out, in, height, width]` each.
    pub weight: [&'a [f32]; 3],
    /// `[out]` each.
    pub bias: [Option<&'a [f32]>; 3],
}

/// The packed weights of a block that are kept from call to call.
#[derive(Debug, Default)]
pub(crate) struct MlpconvPacked {
    layers: [Kept; 3],
}

/// What a forward pass saves for the backward pass.
#[derive(Debug)]
pub struct MlpconvSaved<'a> {
    /// The outputs of the first two layers, as values or pairs of bf16, in panels ([`MlpconvGeometry::hidden_len`]).
    pub hidden: [&'a mut [f32]; 2],
    /// The position of each maximum in its window ([`MlpconvGeometry::positions_len`]).
    pub positions: &'a mut [u8],
}

/// The operands and the results of a backward pass.
#[derive(Debug)]
pub struct MlpconvBackward<'a> {
    /// The input of the forward pass.
    pub input: ConvInput<'a>,
    /// The weights of the forward pass; biases are ignored.
    pub weights: MlpconvWeights<'a>,
    /// Saved by the forward pass.
    pub hidden: [&'a [f32]; 2],
    /// Saved by the forward pass.
    pub positions: &'a [u8],
    /// The output of the forward pass.
    pub output: &'a [f32],
    /// In panels, like the output.
    pub grad_output: &'a [f32],
    /// Written, in the layout of the input.
    pub grad_input: Option<&'a mut [f32]>,
    /// Written: `[out, in, height, width]` each.
    pub grad_weight: [&'a mut [f32]; 3],
    /// Written: `[out]` each.
    pub grad_bias: [Option<&'a mut [f32]>; 3],
}

impl<'a> MlpconvWeights<'a> {
    /// Returns the weights of each layer, with their packed forms if those are kept.
    pub(crate) fn layers(&self, packed: Option<&'a MlpconvPacked>) -> [LayerWeights<'a>; 3] {
        [0, 1, 2].map(|layer| match packed {
            Some(packed) => LayerWeights::with_kept(self.weight[layer], &packed.layers[layer]),
            None => LayerWeights::new(self.weight[layer]),
        })
    }

    /// Checks the lengths of the input and of the weights.
    pub(crate) fn check(&self, geometry: &MlpconvGeometry, input: ConvInput) -> Result<(), Error> {
        input.check(&geometry.layers[0])?;
        self.check_lengths(geometry)
    }

    /// Checks the lengths of the weights.
    pub(crate) fn check_lengths(&self, geometry: &MlpconvGeometry) -> Result<(), Error> {
        for (layer, (weight, bias)) in geometry.layers.iter().zip(self.weight.iter().zip(self.bias))
        {
            expect_len("weight", weight.len(), layer.weight_len())?;
            if let Some(bias) = bias {
                expect_len("bias", bias.len(), layer.out_channels)?;
            }
        }
        Ok(())
    }
}
