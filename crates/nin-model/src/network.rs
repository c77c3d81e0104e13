//! The network: blocks, pools and dropout, then the mean of each class map.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::activations::Activations;
use crate::convolution::ConvolutionRelu;
use crate::dropout::{DropoutKey, dropout};
#[cfg(any(feature = "flex", feature = "ndarray"))]
use crate::fused::{Answer, Blocks, Sizes};
use crate::int8;
use crate::pooling::max_pool;
use crate::quantization::Quantization;
use crate::weights::{Weights, layer_names};
use crate::{Architecture, Block, MlpConv, ModelError, Precision};

/// A Network in Network.
///
/// There is no fully connected layer. The last block has one channel for each class, and the mean of a class map is the
/// logit of the class (arXiv:1312.4400, section 3.2).
#[derive(Module, Debug)]
pub struct NetworkInNetwork<B: Backend> {
    blocks: Vec<MlpConv<B>>,
    #[module(skip)]
    architecture: Architecture,
    /// The steps of int8 weights, which inference on the CPU multiplies as integers ([`InferencePlan`](crate::InferencePlan)).
    #[module(skip)]
    quantization: Option<Quantization>,
}

impl<B: Backend> NetworkInNetwork<B> {
    /// Creates the network of an architecture with the given weights.
    ///
    /// # Errors
    /// [`ModelError::MissingTensor`], [`ModelError::ExtraTensor`] or [`ModelError::TensorShape`]
    /// where the weights are of another architecture.
    pub fn from_weights(
        architecture: &Architecture,
        weights: &Weights,
        device: &B::Device,
    ) -> Result<Self, ModelError> {
        weights.check(architecture)?;
        let blocks = architecture
            .blocks()
            .iter()
            .enumerate()
            .map(|(index, block)| {
                let layer = |name: &str, stride, padding| ConvolutionRelu {
                    weight: weights.parameter(&format!("{name}.weight"), device),
                    bias: weights.parameter(&format!("{name}.bias"), device),
                    stride,
                    padding,
                };
                let [convolution, cccp1, cccp2] = layer_names(index);
                MlpConv {
                    convolution: layer(&convolution, block.stride, block.padding),
                    cccp1: layer(&cccp1, 1, 0),
                    cccp2: layer(&cccp2, 1, 0),
                    own_operations: true,
                    precision: Precision::Fp32,
                }
            })
            .collect();
        let quantization = weights.quantization().cloned();
        Ok(Self { blocks, architecture: architecture.clone(), quantization })
    }

    /// Reads the current weights from the device. An int8 network that was trained is no longer one: its weights are those that
    /// training left, in fp32.
    ///
    /// # Errors
    /// [`ModelError::DeviceFailed`] or [`ModelError::Device`] where the device fails.
    pub fn to_weights(&self) -> Result<Weights, ModelError> {
        let mut weights = Weights::from_module(self)?;
        let quantization = self.quantization.as_ref();
        weights.set_quantization(quantization.filter(|one| int8::holds(one, &weights)).cloned());
        Ok(weights)
    }

    /// Returns the network with blocks of Burn's own operations: the reference for the kernels of CPU backends, and for those of
    /// blocks on wgpu.
    #[must_use]
    pub fn without_kernels(mut self) -> Self {
        for mlpconv in &mut self.blocks {
            mlpconv.own_operations = false;
        }
        self
    }

    /// Returns the network with its layers in this precision; fp32 by default.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        for mlpconv in &mut self.blocks {
            mlpconv.precision = precision;
        }
        self
    }

    /// Returns the network with its first blocks frozen: their parameters get no gradients, and optimizers do not change
    /// them.
    #[must_use]
    pub fn with_frozen_blocks(mut self, frozen: usize) -> Self {
        let freeze = |(index, block): (usize, MlpConv<B>)| {
            if index < frozen { block.no_grad() } else { block }
        };
        self.blocks = self.blocks.into_iter().enumerate().map(freeze).collect();
        self
    }

    /// Returns the architecture of the network.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Computes the logits `[batch, classes]` of images `[batch, channels, height, width]` for inference.
    ///
    /// # Panics
    /// Where the images are too small or have the wrong number of channels, which [`Architecture::shapes`] checks.
    pub fn forward(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        self.maps(images, None).mean_of_maps()
    }

    /// Computes the logits `[batch, classes]` of images `[batch, channels, height, width]` for training, with the dropout
    /// masks of `key`.
    ///
    /// # Panics
    /// As [`NetworkInNetwork::forward`].
    pub fn forward_training(&self, images: Tensor<B, 4>, key: &DropoutKey) -> Tensor<B, 2> {
        self.maps(images, Some(key)).mean_of_maps()
    }

    /// Computes the class maps `[batch, classes, height', width']` of images `[batch, channels, height, width]`. The mean of a
    /// class map is the logit of the class.
    ///
    /// # Panics
    /// As [`NetworkInNetwork::forward`].
    pub fn class_maps(&self, images: Tensor<B, 4>) -> Tensor<B, 4> {
        self.maps(images, None).into_planes()
    }

    /// Returns the output shape of every layer of [`Architecture::shapes`], from a forward pass.
    ///
    /// # Panics
    /// As [`NetworkInNetwork::forward`].
    pub fn trace(&self, images: Tensor<B, 4>) -> Vec<Vec<usize>> {
        let mut maps = Activations::Planes(images);
        let mut shapes = Vec::new();
        for (mlpconv, block) in self.blocks_with_data() {
            maps = mlpconv.activate(maps, None);
            shapes.push(maps.dims().to_vec());
            if let Some(pool) = &block.pool {
                maps = Activations::Planes(max_pool(maps.into_planes(), pool));
                shapes.push(maps.dims().to_vec());
            }
            if block.dropout > 0.0 {
                shapes.push(maps.dims().to_vec());
            }
        }
        let [batch, classes] = maps.mean_of_maps().dims();
        shapes.extend([vec![batch, classes, 1, 1], vec![batch, classes]]);
        shapes
    }

    /// Prepares the blocks for inference, if nin-kernels compute them on `B`.
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    pub(crate) fn prepared(&self) -> Result<Option<Blocks<B>>, ModelError> {
        let Some(first) = self.blocks.first() else { return Ok(None) };
        if !first.own_operations || !crate::fused::is_host::<B>() {
            return Ok(None);
        }
        let context = nin_kernels::Context::shared()?.with_precision(first.precision.into());
        if self.quantization.is_some() {
            let weights = self.to_weights()?;
            if let Some(quantization) = weights.quantization() {
                let (first, layers) =
                    int8::kernel_layers(quantization, &self.architecture, &weights)?;
                let kernels = nin_kernels::QuantizedInference::new(&context, first, layers)?;
                return Ok(Some(Blocks::of_int8(kernels)));
            }
        }
        let kernels = nin_kernels::Inference::new(&context, self.blocks.len());
        let parameters = self.blocks.iter().map(MlpConv::parameters).collect();
        Ok(Blocks::of_floats(kernels, parameters))
    }

    /// Answers images by the prepared blocks, if their sizes and types allow it; otherwise returns them.
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    pub(crate) fn answer_by<const D: usize>(
        &self,
        blocks: &Blocks<B>,
        answer: Answer,
        images: Tensor<B, 4>,
    ) -> Result<Tensor<B, D>, Tensor<B, 4>> {
        use crate::operation::{primitive, tensor};

        let dims = images.dims();
        let Ok(sizes) = blocks.sizes(dims, || self.sizes(dims)) else { return Err(images) };
        blocks.run(&sizes, answer, primitive(images)).map(tensor).map_err(tensor)
    }

    /// Returns the sizes of the blocks on images of `[batch, channels, height, width]`.
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    fn sizes(&self, input: [usize; 4]) -> Result<Sizes, nin_kernels::Error> {
        let mut output = input;
        let mut geometries = Vec::with_capacity(self.blocks.len());
        for (mlpconv, block) in self.blocks_with_data() {
            let geometry = mlpconv.geometry(output, block.pool.as_ref())?;
            let [height, width] = geometry.output_size();
            output = [input[0], mlpconv.cccp2.output_channels(), height, width];
            geometries.push(geometry);
        }
        Ok(Sizes { input, geometries, output })
    }

    pub(crate) fn maps(
        &self,
        images: Tensor<B, 4>,
        dropout_key: Option<&DropoutKey>,
    ) -> Activations<B> {
        let mut maps = Activations::Planes(images);
        for (index, (mlpconv, block)) in self.blocks_with_data().enumerate() {
            maps = mlpconv.activate(maps, block.pool.as_ref());
            if let Some(key) = dropout_key.filter(|_| block.dropout > 0.0) {
                maps = dropout(maps, block.dropout, index, key);
            }
        }
        maps
    }

    fn blocks_with_data(&self) -> impl Iterator<Item = (&MlpConv<B>, &Block)> {
        self.blocks.iter().zip(self.architecture.blocks())
    }
}
