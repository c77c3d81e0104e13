//! Convolution + bias + ReLU: the one place from which every layer of the network calls it.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use crate::activations::Activations;

/// A convolution with bias and ReLU: square kernel, the same stride and padding both ways.
#[derive(Module, Debug)]
pub struct ConvolutionRelu<B: Backend> {
    /// `[output channels, input channels, kernel, kernel]`
    pub(crate) weight: Param<Tensor<B, 4>>,
    /// `[output channels]`
    pub(crate) bias: Param<Tensor<B, 1>>,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    /// Whether no other layer of this network stands behind it.
    pub(crate) is_last: bool,
    /// Whether a CPU backend runs it by nin-kernels.
    pub(crate) fused: bool,
}

impl<B: Backend> ConvolutionRelu<B> {
    /// The activations of the layer.
    pub(crate) fn forward(&self, input: Activations<B>) -> Activations<B> {
        #[cfg(feature = "kernels")]
        let input = match self.forward_fused(input) {
            Ok(output) => return output,
            Err(input) => input,
        };
        let options = ConvOptions::new([self.stride; 2], [self.padding; 2], [1, 1], 1);
        let input = input.into_planes();
        Activations::Planes(relu(conv2d(
            input,
            self.weight.val(),
            Some(self.bias.val()),
            options,
        )))
    }

    /// The same by nin-kernels, where the backend is one that it serves; else the input again.
    #[cfg(feature = "kernels")]
    fn forward_fused(&self, input: Activations<B>) -> Result<Activations<B>, Activations<B>> {
        use crate::activations::{PANEL, primitive, tensor};
        use crate::fused::{self, Convolution};

        let [batch, in_channels, height, width] = input.dims();
        let [channels, _, kernel, _] = self.weight.shape().dims();
        let geometry = nin_kernels::ConvGeometry::new(
            batch,
            [in_channels, channels],
            [height, width],
            [kernel; 2],
            [self.stride; 2],
            [self.padding; 2],
        );
        let (Ok(geometry), Ok(cpu), true) = (geometry, nin_kernels::Cpu::shared(), self.fused)
        else {
            return Err(input);
        };
        let size = geometry.output_size();
        let operation = Convolution {
            cpu,
            geometry,
            input_is_planes: matches!(input, Activations::Planes(_)),
            masks_own_gradient: self.is_last,
            output_shape: [batch, channels.div_ceil(PANEL), size[0] * size[1], PANEL],
        };
        let operand = match &input {
            Activations::Planes(tensor) | Activations::Panels { tensor, .. } => tensor.clone(),
        };
        let operands = [
            primitive(operand),
            primitive(self.weight.val()),
            primitive(self.bias.val()),
        ];
        match fused::run::<B, _, 3>(&operation, operands) {
            Ok(output) => Ok(Activations::Panels {
                tensor: tensor(output),
                channels,
                size,
            }),
            Err(_) => Err(input),
        }
    }
}
