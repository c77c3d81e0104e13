//! Convolution + bias + ReLU, and its gradients.

mod algorithm;
mod bf16;
pub(crate) mod direct;
mod lowering;
mod pack;
mod tiles;
pub(crate) mod winograd;

pub use algorithm::Algorithm;
pub(crate) use algorithm::Choice;
pub(crate) use direct::{group_size, group_slices};

use crate::arch::generic::winograd::{F43, F45};
use crate::cpu::Cpu;
use crate::error::{Error, expect_len};
use crate::geometry::ConvGeometry;

/// The input of a convolution.
#[derive(Debug, Clone, Copy)]
pub enum ConvInput<'a> {
    /// Channel panels, `[batch, ceil(channels / 16), height * width, 16]`.
    Panels(&'a [f32]),
    /// Plain `[batch, channels, height, width]`: for the images themselves, whose one or three channels would fill a
    /// sixteenth of a panel.
    Planes(&'a [f32]),
}

impl<'a> ConvInput<'a> {
    pub(crate) fn values(self) -> &'a [f32] {
        match self {
            Self::Panels(values) | Self::Planes(values) => values,
        }
    }

    pub(crate) fn check(&self, geometry: &ConvGeometry) -> Result<(), Error> {
        match self {
            Self::Panels(input) => expect_len("input", input.len(), geometry.input_len()),
            Self::Planes(input) => expect_len("input", input.len(), geometry.input_planes_len()),
        }
    }
}

/// What the gradients of a convolution are computed from, and where they go.
#[derive(Debug)]
pub struct ConvBackward<'a> {
    /// The forward pass's input.
    pub input: ConvInput<'a>,
    /// `[out, in, height, width]`.
    pub weight: &'a [f32],
    /// In panels.
    pub grad_output: &'a [f32],
    /// The forward pass's output, where its ReLU's mask is still to be applied to `grad_output`; none where there was no
    /// ReLU, or where what made `grad_output` has masked it ([`mask_grad_input`](Self::mask_grad_input) of the layer
    /// above, or a pooling's backward).
    pub output: Option<&'a [f32]>,
    /// Written: laid out as the input.
    pub grad_input: Option<&'a mut [f32]>,
    /// The input is a ReLU's output, and `grad_input` is to be masked by it: the mask of the layer below, for nothing.
    pub mask_grad_input: bool,
    /// Written: `[out, in, height, width]`.
    pub grad_weight: &'a mut [f32],
    /// Written: `[out]`.
    pub grad_bias: Option<&'a mut [f32]>,
}

/// The algorithm of a convolution.
pub(crate) fn choose(cpu: &Cpu, geometry: &ConvGeometry) -> Choice {
    // Where tiles multiply, they do so many times faster than vectors that no transform pays.
    let tiles = tiles::tiles(cpu, geometry, ConvInput::Panels(&[]));
    if cpu.algorithm != Algorithm::Winograd && tiles.is_some() {
        return Choice::Direct;
    }
    algorithm::by_cost(cpu.algorithm, geometry)
}

impl Cpu {
    /// The name of the algorithm that this convolution takes.
    pub fn algorithm_of(&self, geometry: &ConvGeometry, input: ConvInput) -> &'static str {
        match (choose(self, geometry), input) {
            (Choice::F43, ConvInput::Panels(_)) => "F(4x4, 3x3)",
            (Choice::F45, ConvInput::Panels(_)) => "F(4x4, 5x5)",
            (_, input) if tiles::tiles(self, geometry, input).is_some() => "tiles, bf16",
            (_, ConvInput::Panels(_)) if geometry.is_pointwise() && self.bf16().is_some() => {
                "direct, bf16"
            }
            _ => "direct",
        }
    }

    /// `output = relu(input * weight + bias)`; bias and ReLU as asked. `output` is in panels, `weight`
    /// `[out, in, height, width]`, `bias` `[out]`.
    ///
    /// # Errors
    /// A slice of another length than the geometry says.
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
        match (choose(self, geometry), input) {
            (Choice::F43, ConvInput::Panels(input)) => {
                winograd::forward::<F43>(self, geometry, input, weight, bias, relu, output);
            }
            (Choice::F45, ConvInput::Panels(input)) => {
                winograd::forward::<F45>(self, geometry, input, weight, bias, relu, output);
            }
            _ => direct::forward(self, geometry, input, weight, bias, relu, output),
        }
        Ok(())
    }

    /// The gradients of [`conv_relu_forward`](Self::conv_relu_forward).
    ///
    /// # Errors
    /// A slice of another length than the geometry says.
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
        match (choose(self, geometry), work.input) {
            (Choice::F43, ConvInput::Panels(input)) => {
                winograd::backward::<F43>(self, geometry, input, work);
            }
            (Choice::F45, ConvInput::Panels(input)) => {
                winograd::backward::<F45>(self, geometry, input, work);
            }
            _ => direct::backward(self, geometry, work),
        }
        Ok(())
    }
}
