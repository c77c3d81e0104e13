//! The mlpconv layer: a convolution whose filter is a small multilayer perceptron.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::activations::Activations;
use crate::convolution::ConvolutionRelu;

/// One block of the network (the paper's mlpconv layer, section 3.1; the book's `nin_block`):
/// a convolution and two 1x1 convolutions, each followed by ReLU.
///
/// The 1x1 convolutions are the fully connected layers of a perceptron that slides over the image;
/// the authors call them cascaded cross channel parametric pooling, `cccp` for short.
#[derive(Module, Debug)]
pub struct MlpConv<B: Backend> {
    pub(crate) convolution: ConvolutionRelu<B>,
    pub(crate) cccp1: ConvolutionRelu<B>,
    pub(crate) cccp2: ConvolutionRelu<B>,
}

impl<B: Backend> MlpConv<B> {
    /// `[batch, input channels, height, width]` to `[batch, third width, height', width']`.
    pub fn forward(&self, input: Tensor<B, 4>) -> Tensor<B, 4> {
        self.activate(Activations::Planes(input)).into_planes()
    }

    pub(crate) fn activate(&self, input: Activations<B>) -> Activations<B> {
        let patches = self.convolution.forward(input); // [batch, first width, height', width']
        let hidden = self.cccp1.forward(patches); // [batch, second width, height', width']
        self.cccp2.forward(hidden) // [batch, third width, height', width']
    }
}
