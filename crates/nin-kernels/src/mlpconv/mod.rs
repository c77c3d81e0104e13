//! The mlpconv block as one call: a convolution and two 1x1 convolutions, each with bias and ReLU, then max pooling.
//!
//! Every image passes through the whole block while it is in the cache. Intermediate results that are not read later stay in
//! scratch memory: the output of the third layer if it is pooled, the hidden layers in inference, and the gradients of the
//! hidden layers always.

mod backward;
mod forward;
mod geometry;
mod operands;
mod steps;
mod strips;

pub(crate) use forward::forward;
pub use geometry::MlpconvGeometry;
pub(crate) use operands::MlpconvPacked;
pub use operands::{MlpconvBackward, MlpconvSaved, MlpconvWeights};
pub(crate) use steps::push_steps;

use crate::context::Context;
use crate::conv::ConvInput;
use crate::error::{Error, expect_len};

impl Context {
    /// Computes the whole block. Writes to `saved` what [`mlpconv_backward`](Self::mlpconv_backward) needs; without it, only
    /// the output leaves the cache.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has the wrong length for the geometry.
    pub fn mlpconv_forward(
        &self,
        geometry: &MlpconvGeometry,
        input: ConvInput,
        weights: &MlpconvWeights,
        output: &mut [f32],
        saved: Option<MlpconvSaved>,
    ) -> Result<(), Error> {
        weights.check(geometry, input)?;
        expect_len("output", output.len(), geometry.output_len())?;
        if let Some(saved) = &saved {
            for (hidden, expected) in saved.hidden.iter().zip(geometry.hidden_len(self)) {
                expect_len("hidden", hidden.len(), expected)?;
            }
            expect_len("positions", saved.positions.len(), geometry.positions_len())?;
        }
        forward(self, geometry, input, (weights, None), output, saved);
        Ok(())
    }

    /// Computes the gradients of [`mlpconv_forward`](Self::mlpconv_forward).
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has the wrong length for the geometry.
    pub fn mlpconv_backward(
        &self,
        geometry: &MlpconvGeometry,
        work: MlpconvBackward,
    ) -> Result<(), Error> {
        work.weights.check(geometry, work.input)?;
        for (hidden, expected) in work.hidden.iter().zip(geometry.hidden_len(self)) {
            expect_len("hidden", hidden.len(), expected)?;
        }
        expect_len("positions", work.positions.len(), geometry.positions_len())?;
        expect_len("output", work.output.len(), geometry.output_len())?;
        expect_len("grad_output", work.grad_output.len(), geometry.output_len())?;
        if let Some(grad_input) = &work.grad_input {
            expect_len("grad_input", grad_input.len(), work.input.values().len())?;
        }
        for (layer, (weight, bias)) in
            geometry.layers.iter().zip(work.grad_weight.iter().zip(&work.grad_bias))
        {
            expect_len("grad_weight", weight.len(), layer.weight_len())?;
            if let Some(bias) = bias {
                expect_len("grad_bias", bias.len(), layer.out_channels)?;
            }
        }
        backward::backward(self, geometry, work);
        Ok(())
    }
}
