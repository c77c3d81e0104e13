//! Convolution + bias + ReLU by Burn's own operations: what every backend has.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

/// A convolution with bias and ReLU: square kernel, the same stride and padding both ways.
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
    /// `[batch, input channels, height, width]` to `[batch, output channels, height', width']`.
    pub(crate) fn forward(&self, input: Tensor<B, 4>) -> Tensor<B, 4> {
        let options = ConvOptions::new([self.stride; 2], [self.padding; 2], [1, 1], 1);
        relu(conv2d(input, self.weight.val(), Some(self.bias.val()), options))
    }

    /// How many channels come out.
    pub(crate) fn output_channels(&self) -> usize {
        let [channels, _, _, _] = self.weight.shape().dims();
        channels
    }
}
