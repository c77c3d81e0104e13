//! Convolution + bias + ReLU by Burn's own operations, or on wgpu by im2col: where no kernel computes the whole block.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

/// A convolution with bias and ReLU, with a square kernel and the same stride and padding along both axes.
#[derive(Module, Debug)]
pub struct ConvolutionRelu<B: Backend> {
    /// `[output channels, input channels, kernel, kernel]`
    pub(crate) weight: Param<Tensor<B, 4>>,
    /// `[output channels]`
    pub(crate) bias: Param<Tensor<B, 1>>,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
}

impl<B: Backend> ConvolutionRelu<B> {
    /// Computes `[batch, output channels, height', width']` from `[batch, input channels, height, width]`. With `own`, uses a
    /// custom operation if there is one for the backend.
    pub(crate) fn forward(&self, input: Tensor<B, 4>, own: bool) -> Tensor<B, 4> {
        let bias = self.bias.val();
        let input = match if own { self.products(input) } else { Err(input) } {
            Ok(output) => return relu(output + bias.reshape([1, -1, 1, 1])),
            Err(input) => input,
        };
        let options = ConvOptions::new([self.stride; 2], [self.padding; 2], [1, 1], 1);
        relu(conv2d(input, self.weight.val(), Some(bias), options))
    }

    /// Computes the convolution without its bias by im2col if the backend is wgpu; otherwise returns the input.
    #[cfg(feature = "wgpu")]
    fn products(&self, input: Tensor<B, 4>) -> Result<Tensor<B, 4>, Tensor<B, 4>> {
        use crate::operation::{primitive, run_on, tensor};
        use crate::unfolded::{LARGEST_BUFFER, UnfoldedConvolution};

        let Self { stride, padding, .. } = *self;
        let operation = UnfoldedConvolution { stride, padding, largest_buffer: LARGEST_BUFFER };
        let operands = [primitive(input), primitive(self.weight.val())];
        match run_on::<B, burn_wgpu::Wgpu, _, 2>(&operation, operands) {
            Ok(output) => Ok(tensor(output)),
            Err([input, _]) => Err(tensor(input)),
        }
    }

    #[cfg(not(feature = "wgpu"))]
    #[allow(clippy::unused_self, reason = "the same signature as with wgpu")]
    fn products(&self, input: Tensor<B, 4>) -> Result<Tensor<B, 4>, Tensor<B, 4>> {
        Err(input)
    }

    /// Returns the number of output channels.
    pub(crate) fn output_channels(&self) -> usize {
        let [channels, _, _, _] = self.weight.shape().dims();
        channels
    }
}
