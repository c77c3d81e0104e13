//! The operands of a convolution.

use crate::error::{Error, expect_len};
use crate::geometry::ConvGeometry;

/// The input of a convolution.
#[derive(Debug, Clone, Copy)]
pub enum ConvInput<'a> {
    /// Channel panels, `[batch, ceil(channels / 16), height * width, 16]`.
    Panels(&'a [f32]),
    /// `[batch, channels, height, width]`: for images, whose one or three channels would fill a panel only in part.
    Planes(&'a [f32]),
}

/// How the input of a convolution is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As [`ConvInput::Panels`].
    Panels,
    /// As [`ConvInput::Planes`].
    Planes,
}

impl<'a> ConvInput<'a> {
    pub(crate) fn values(self) -> &'a [f32] {
        match self {
            Self::Panels(values) | Self::Planes(values) => values,
        }
    }

    pub(crate) fn layout(self) -> Layout {
        match self {
            Self::Panels(_) => Layout::Panels,
            Self::Planes(_) => Layout::Planes,
        }
    }

    pub(crate) fn check(self, geometry: &ConvGeometry) -> Result<(), Error> {
        match self {
            Self::Panels(input) => expect_len("input", input.len(), geometry.input_len()),
            Self::Planes(input) => expect_len("input", input.len(), geometry.input_planes_len()),
        }
    }
}

/// The operands and the results of a backward pass.
#[derive(Debug)]
pub struct ConvBackward<'a> {
    /// The input of the forward pass.
    pub input: ConvInput<'a>,
    /// `[out, in, height, width]`.
    pub weight: &'a [f32],
    /// In panels.
    pub grad_output: &'a [f32],
    /// The output of the forward pass, to mask `grad_output` by its ReLU. `None` if there was no ReLU, or if `grad_output`
    /// is already masked: by [`mask_grad_input`](Self::mask_grad_input) of the next layer, or by a pooling.
    pub output: Option<&'a [f32]>,
    /// Written, in the layout of the input.
    pub grad_input: Option<&'a mut [f32]>,
    /// Masks `grad_input` by the ReLU whose output the input is, which saves the previous layer a pass over it.
    pub mask_grad_input: bool,
    /// Written: `[out, in, height, width]`.
    pub grad_weight: &'a mut [f32],
    /// Written: `[out]`.
    pub grad_bias: Option<&'a mut [f32]>,
}
