//! The sizes of an mlpconv block.

use crate::context::Context;
use crate::conv::multiplies_words;
use crate::error::Error;
use crate::geometry::{ConvGeometry, PoolGeometry};

/// The sizes of an mlpconv block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MlpconvGeometry {
    pub(crate) layers: [ConvGeometry; 3],
    pub(crate) pool: Option<PoolGeometry>,
}

impl MlpconvGeometry {
    /// Creates a block of a first layer and two 1x1 layers of the given widths.
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

    /// Appends a max pooling, with the sizes of [`PoolGeometry::new`].
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

    /// Returns the three convolutions.
    pub fn layers(&self) -> &[ConvGeometry; 3] {
        &self.layers
    }

    /// Returns the max pooling, if there is one.
    pub fn pool(&self) -> Option<&PoolGeometry> {
        self.pool.as_ref()
    }

    /// Returns the size of the output in pixels, `[height, width]`.
    pub fn output_size(&self) -> [usize; 2] {
        self.pool.map_or(self.layers[2].output, |pool| pool.output)
    }

    /// Returns the number of values of the output in panels.
    pub fn output_len(&self) -> usize {
        self.pool.map_or(self.layers[2].output_len(), |pool| pool.output_len())
    }

    /// Returns the lengths in which [`mlpconv_forward`](Context::mlpconv_forward) saves the two hidden outputs: their values in
    /// panels, or half as many, if the layers over them multiply pairs of bf16.
    pub fn hidden_len(&self, context: &Context) -> [usize; 2] {
        [0, 1].map(|layer| {
            let len = self.layers[layer].output_len();
            if multiplies_words(context, &self.layers[layer + 1]) { len / 2 } else { len }
        })
    }

    /// Returns the number of positions that the pooling saves: one for each output, none without a pooling.
    pub fn positions_len(&self) -> usize {
        self.pool.map_or(0, |pool| pool.output_len())
    }
}
