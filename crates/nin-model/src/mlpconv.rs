//! The mlpconv layer: a convolution whose filter is a small multilayer perceptron.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::activations::Activations;
use crate::convolution::ConvolutionRelu;
use crate::pooling::max_pool;
use crate::{Pool, Precision};

/// One block of the network (the paper's mlpconv layer, section 3.1; the book's `nin_block`): a convolution and two 1x1
/// convolutions, each followed by ReLU.
///
/// The 1x1 convolutions are the fully connected layers of a perceptron that slides over the image. The authors call them
/// cascaded cross channel parametric pooling, `cccp` for short.
#[derive(Module, Debug)]
pub struct MlpConv<B: Backend> {
    pub(crate) convolution: ConvolutionRelu<B>,
    pub(crate) cccp1: ConvolutionRelu<B>,
    pub(crate) cccp2: ConvolutionRelu<B>,
    /// Whether to use custom operations where the backend has them: nin-kernels on CPU backends, nin-gpu
    /// or im2col on wgpu.
    pub(crate) own_operations: bool,
    #[module(skip)]
    pub(crate) precision: Precision,
}

impl<B: Backend> MlpConv<B> {
    /// Computes `[batch, third width, height', width']` from `[batch, input channels, height, width]`.
    pub fn forward(&self, input: Tensor<B, 4>) -> Tensor<B, 4> {
        self.activate(Activations::Planes(input), None).into_planes()
    }

    /// Computes the block and, if there is one, its max pool.
    pub(crate) fn activate(&self, input: Activations<B>, pool: Option<&Pool>) -> Activations<B> {
        #[cfg(any(feature = "flex", feature = "ndarray"))]
        let input = match self.activate_fused(input, pool) {
            Ok(output) => return output,
            Err(input) => input,
        };
        #[cfg(feature = "wgpu")]
        let input = match self.activate_on_gpu(input, pool) {
            Ok(output) => return output,
            Err(input) => input,
        };
        let own = self.own_operations;
        let patches = self.convolution.forward(input.into_planes(), own); // [batch, first width, height', width']
        let hidden = self.cccp1.forward(patches, own); // [batch, second width, height', width']
        let output = self.cccp2.forward(hidden, own); // [batch, third width, height', width']
        Activations::Planes(match pool {
            Some(pool) => max_pool(output, pool),
            None => output,
        })
    }

    /// Computes the block by nin-kernels on a CPU backend; otherwise returns the input.
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    fn activate_fused(
        &self,
        input: Activations<B>,
        pool: Option<&Pool>,
    ) -> Result<Activations<B>, Activations<B>> {
        use crate::activations::PANEL;
        use crate::fused::{self, MlpconvBlock};
        use crate::operation::{primitive, tensor};

        if !self.own_operations {
            return Err(input);
        }
        let context = nin_kernels::Context::shared();
        let (Ok(context), Ok(geometry)) = (context, self.geometry(input.dims(), pool)) else {
            return Err(input);
        };
        let [batch, _, _, _] = input.dims();
        let channels = self.cccp2.output_channels();
        let size = geometry.output_size();
        let operation = MlpconvBlock {
            context: context.with_precision(self.precision.into()),
            geometry,
            input_is_planes: matches!(input, Activations::Planes(_)),
            output_shape: [batch, channels.div_ceil(PANEL), size[0] * size[1], PANEL],
        };
        let [weight_1, bias_1, weight_2, bias_2, weight_3, bias_3] = self.parameters();
        let input_values = primitive(input.tensor().clone());
        let operands = [input_values, weight_1, bias_1, weight_2, bias_2, weight_3, bias_3];
        match fused::run::<B, _, 7>(&operation, operands) {
            Ok(output) => Ok(Activations::Panels { tensor: tensor(output), channels, size }),
            Err(_) => Err(input),
        }
    }

    /// Computes the block by nin-gpu on wgpu; otherwise returns the input.
    #[cfg(feature = "wgpu")]
    fn activate_on_gpu(
        &self,
        input: Activations<B>,
        pool: Option<&Pool>,
    ) -> Result<Activations<B>, Activations<B>> {
        use crate::gpu::{self, GpuBlock};
        use crate::operation::{primitive, tensor};

        if !self.own_operations {
            return Err(input);
        }
        let ConvolutionRelu { weight, stride, padding, .. } = &self.convolution;
        let [first, _, kernel, _] = weight.shape().dims();
        let [second, third] = [&self.cccp1, &self.cccp2].map(ConvolutionRelu::output_channels);
        let [batch, channels, height, width] = input.dims();
        let window = nin_gpu::Window { kernel, stride: *stride, padding: *padding };
        let channels = [channels, first, second, third];
        let Ok(block) = GpuBlock::new(batch, channels, [height, width], window, pool) else {
            return Err(input);
        };
        let input = input.into_planes();
        let [weight_1, bias_1, weight_2, bias_2, weight_3, bias_3] = self.parameters();
        let input_values = primitive(input.clone());
        let operands = [input_values, weight_1, bias_1, weight_2, bias_2, weight_3, bias_3];
        match gpu::run::<B>(block, self.precision, input.device(), operands) {
            Ok(output) => Ok(Activations::Planes(tensor(output))),
            Err(_) => Err(Activations::Planes(input)),
        }
    }

    /// Returns weight and bias of each layer.
    #[cfg(any(feature = "flex", feature = "ndarray", feature = "wgpu"))]
    pub(crate) fn parameters(&self) -> [burn::tensor::ops::FloatTensor<B>; 6] {
        use crate::operation::primitive;

        let Self { convolution, cccp1, cccp2, .. } = self;
        [
            primitive(convolution.weight.val()),
            primitive(convolution.bias.val()),
            primitive(cccp1.weight.val()),
            primitive(cccp1.bias.val()),
            primitive(cccp2.weight.val()),
            primitive(cccp2.bias.val()),
        ]
    }

    /// Returns the sizes of the block on an input of `[batch, channels, height, width]`.
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    pub(crate) fn geometry(
        &self,
        [batch, channels, height, width]: [usize; 4],
        pool: Option<&Pool>,
    ) -> Result<nin_kernels::MlpconvGeometry, nin_kernels::Error> {
        use crate::block_geometry::block_geometry;

        let ConvolutionRelu { weight, stride, padding, .. } = &self.convolution;
        let [first, _, kernel, _] = weight.shape().dims();
        let [second, third] = [&self.cccp1, &self.cccp2].map(ConvolutionRelu::output_channels);
        let channels = [channels, first, second, third];
        block_geometry(batch, channels, [height, width], [kernel, *stride, *padding], pool)
    }
}
