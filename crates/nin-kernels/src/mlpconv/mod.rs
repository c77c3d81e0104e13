//! The mlpconv block as one call: convolution, two 1x1 convolutions, each with bias and ReLU, and the max pooling behind.
//!
//! Every image passes through the whole block while it is in the cache. What nobody keeps never leaves scratch memory:
//! the third layer's output where it is pooled, the hidden layers in inference, the hidden layers' gradients always.

mod backward;
mod forward;

use crate::conv::ConvInput;
use crate::cpu::Cpu;
use crate::error::{Error, expect_len};
use crate::geometry::{ConvGeometry, PoolGeometry};

/// The sizes of an mlpconv block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MlpconvGeometry {
    pub(crate) layers: [ConvGeometry; 3],
    pub(crate) pool: Option<PoolGeometry>,
}

impl MlpconvGeometry {
    /// The first layer, and the widths of the two 1x1 layers.
    ///
    /// # Errors
    /// As [`ConvGeometry::new`].
    pub fn new(first: ConvGeometry, widths: [usize; 2]) -> Result<Self, Error> {
        let pointwise = |inputs, outputs| {
            ConvGeometry::new(first.batch, [inputs, outputs], first.output, [1, 1], [1, 1], [0, 0])
        };
        let second = pointwise(first.out_channels, widths[0])?;
        let third = pointwise(widths[0], widths[1])?;
        Ok(Self { layers: [first, second, third], pool: None })
    }

    /// The same with a max pooling behind; sizes as in [`PoolGeometry::new`].
    ///
    /// # Errors
    /// As [`PoolGeometry::new`].
    pub fn with_max_pool(
        mut self,
        window: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        ceil_mode: bool,
    ) -> Result<Self, Error> {
        let third = &self.layers[2];
        let (batch, channels) = (third.batch, third.out_channels);
        self.pool = Some(PoolGeometry::new(
            batch,
            channels,
            third.output,
            window,
            stride,
            padding,
            ceil_mode,
        )?);
        Ok(self)
    }

    /// The three convolutions.
    pub fn layers(&self) -> &[ConvGeometry; 3] {
        &self.layers
    }

    /// The max pooling, where there is one.
    pub fn pool(&self) -> Option<&PoolGeometry> {
        self.pool.as_ref()
    }

    /// Output size in pixels, `[height, width]`.
    pub fn output_size(&self) -> [usize; 2] {
        self.pool.map_or(self.layers[2].output, |pool| pool.output)
    }

    /// Values of the output in panels.
    pub fn output_len(&self) -> usize {
        self.pool.map_or(self.layers[2].output_len(), |pool| pool.output_len())
    }

    /// Values of the two hidden outputs in panels.
    pub fn hidden_len(&self) -> [usize; 2] {
        [self.layers[0].output_len(), self.layers[1].output_len()]
    }

    /// Positions that the pooling keeps: as many as outputs, none without a pooling.
    pub fn positions_len(&self) -> usize {
        self.pool.map_or(0, |pool| pool.output_len())
    }

    fn check(&self, input: ConvInput, weights: &MlpconvWeights) -> Result<(), Error> {
        input.check(&self.layers[0])?;
        for (layer, (weight, bias)) in
            self.layers.iter().zip(weights.weight.iter().zip(weights.bias))
        {
            expect_len("weight", weight.len(), layer.weight_len())?;
            if let Some(bias) = bias {
                expect_len("bias", bias.len(), layer.out_channels)?;
            }
        }
        Ok(())
    }
}

/// The weights of the three layers, `[out, in, height, width]`, and their biases.
#[derive(Debug, Clone, Copy)]
pub struct MlpconvWeights<'a> {
    /// `[out, in, height, width]` each.
    pub weight: [&'a [f32]; 3],
    /// `[out]` each.
    pub bias: [Option<&'a [f32]>; 3],
}

/// What a forward pass keeps for the gradients.
#[derive(Debug)]
pub struct MlpconvKept<'a> {
    /// The outputs of the first two layers, in panels ([`MlpconvGeometry::hidden_len`]).
    pub hidden: [&'a mut [f32]; 2],
    /// Where the maxima lie ([`MlpconvGeometry::positions_len`]).
    pub positions: &'a mut [u8],
}

/// What the gradients of a block are computed from, and where they go.
#[derive(Debug)]
pub struct MlpconvBackward<'a> {
    /// The forward pass's input.
    pub input: ConvInput<'a>,
    /// The forward pass's weights; biases are not looked at.
    pub weights: MlpconvWeights<'a>,
    /// Kept by the forward pass.
    pub hidden: [&'a [f32]; 2],
    /// Kept by the forward pass.
    pub positions: &'a [u8],
    /// The forward pass's output.
    pub output: &'a [f32],
    /// In panels, as the output.
    pub grad_output: &'a [f32],
    /// Written: laid out as the input.
    pub grad_input: Option<&'a mut [f32]>,
    /// Written: `[out, in, height, width]` each.
    pub grad_weight: [&'a mut [f32]; 3],
    /// Written: `[out]` each.
    pub grad_bias: [Option<&'a mut [f32]>; 3],
}

impl Cpu {
    /// The whole block. With `kept`, what [`mlpconv_backward`](Self::mlpconv_backward) needs is written there; without,
    /// nothing but the output leaves the cache.
    ///
    /// # Errors
    /// A slice of another length than the geometry says.
    pub fn mlpconv_forward(
        &self,
        geometry: &MlpconvGeometry,
        input: ConvInput,
        weights: &MlpconvWeights,
        output: &mut [f32],
        kept: Option<MlpconvKept>,
    ) -> Result<(), Error> {
        geometry.check(input, weights)?;
        expect_len("output", output.len(), geometry.output_len())?;
        if let Some(kept) = &kept {
            for (hidden, expected) in kept.hidden.iter().zip(geometry.hidden_len()) {
                expect_len("hidden", hidden.len(), expected)?;
            }
            expect_len("positions", kept.positions.len(), geometry.positions_len())?;
        }
        forward::forward(self, geometry, input, weights, output, kept);
        Ok(())
    }

    /// The gradients of [`mlpconv_forward`](Self::mlpconv_forward).
    ///
    /// # Errors
    /// A slice of another length than the geometry says.
    pub fn mlpconv_backward(
        &self,
        geometry: &MlpconvGeometry,
        work: MlpconvBackward,
    ) -> Result<(), Error> {
        geometry.check(work.input, &work.weights)?;
        for (hidden, expected) in work.hidden.iter().zip(geometry.hidden_len()) {
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
