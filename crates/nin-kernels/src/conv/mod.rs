//! Convolution + bias + ReLU, and its gradients.
//!
//! [`choice`] picks the algorithm of a layer: [`winograd`], or [`direct`] in the number format that [`format`] picks. The
//! products of each format are in [`fp32`], [`words`] and [`tiles`].

mod choice;
pub(crate) mod direct;
mod format;
mod fp32;
mod groups;
mod lowering;
mod operands;
mod pack;
pub(crate) mod quads;
mod reduce;
mod region;
mod relu;
mod steps;
mod tiles;
mod weights;
pub(crate) mod winograd;
mod words;

pub(crate) use choice::{Choice, WeightCost, choose};
pub(crate) use groups::{group_size, group_slices};
pub(crate) use lowering::Canvas;
pub(crate) use operands::Layout;
pub use operands::{ConvBackward, ConvInput};
pub(crate) use pack::padded_bias;
pub(crate) use relu::relu_backward;
pub(crate) use steps::Steps;
pub(crate) use weights::{Kept, LayerWeights};
pub(crate) use words::Image;

use crate::arch::generic::winograd::{F43, F45};
use crate::context::Context;
use crate::error::{Error, expect_len};
use crate::geometry::ConvGeometry;
use format::Format;

/// Returns whether a layer over panels multiplies words, by the direct algorithm.
pub(crate) fn multiplies_words(context: &Context, geometry: &ConvGeometry) -> bool {
    matches!(Format::of(context, geometry, Layout::Panels), Format::Words(_))
}

impl Context {
    /// Returns the name of the algorithm that computes a convolution.
    pub fn algorithm_of(&self, geometry: &ConvGeometry, input: ConvInput) -> &'static str {
        match choose(self, geometry, input.layout(), WeightCost::Transform) {
            Choice::F43 => "F(4x4, 3x3)",
            Choice::F45 => "F(4x4, 5x5)",
            Choice::Direct => match Format::of(self, geometry, input.layout()) {
                Format::Fp32 => "direct",
                Format::Words(_) => "direct, bf16",
                Format::Tiles(_) => "tiles, bf16",
            },
        }
    }

    /// Computes `output = relu(input * weight + bias)`, with bias and ReLU optional. `output` is in panels, `weight` is
    /// `[out, in, height, width]`, `bias` is `[out]`.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has the wrong length for the geometry.
    pub fn conv_relu_forward(
        &self,
        geometry: &ConvGeometry,
        input: ConvInput,
        weight: &[f32],
        bias: Option<&[f32]>,
        relu: bool,
        output: &mut [f32],
    ) -> Result<(), Error> {
        input.check(geometry)?;
        expect_len("weight", weight.len(), geometry.weight_len())?;
        if let Some(bias) = bias {
            expect_len("bias", bias.len(), geometry.out_channels)?;
        }
        expect_len("output", output.len(), geometry.output_len())?;
        let panels = input.values();
        let weight = LayerWeights::new(weight);
        match choose(self, geometry, input.layout(), WeightCost::Transform) {
            Choice::F43 => {
                winograd::forward::<F43>(self, geometry, panels, weight, bias, relu, output);
            }
            Choice::F45 => {
                winograd::forward::<F45>(self, geometry, panels, weight, bias, relu, output);
            }
            Choice::Direct => direct::forward(self, geometry, input, weight, bias, relu, output),
        }
        Ok(())
    }

    /// Computes the gradients of [`conv_relu_forward`](Self::conv_relu_forward).
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has the wrong length for the geometry.
    pub fn conv_relu_backward(
        &self,
        geometry: &ConvGeometry,
        work: ConvBackward,
    ) -> Result<(), Error> {
        work.input.check(geometry)?;
        expect_len("weight", work.weight.len(), geometry.weight_len())?;
        expect_len("grad_output", work.grad_output.len(), geometry.output_len())?;
        expect_len("grad_weight", work.grad_weight.len(), geometry.weight_len())?;
        if let Some(output) = work.output {
            expect_len("output", output.len(), geometry.output_len())?;
        }
        if let Some(grad_input) = &work.grad_input {
            expect_len("grad_input", grad_input.len(), work.input.values().len())?;
        }
        if let Some(grad_bias) = &work.grad_bias {
            expect_len("grad_bias", grad_bias.len(), geometry.out_channels)?;
        }
        let panels = work.input.values();
        match choose(self, geometry, work.input.layout(), WeightCost::Transform) {
            Choice::F43 => winograd::backward::<F43>(self, geometry, panels, work),
            Choice::F45 => winograd::backward::<F45>(self, geometry, panels, work),
            Choice::Direct => direct::backward(self, geometry, work),
        }
        Ok(())
    }
}
