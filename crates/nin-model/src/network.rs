//! The network: blocks, pools and dropout, then the mean of each class map.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::activations::Activations;
use crate::convolution::ConvolutionRelu;
use crate::dropout::{DropoutKey, dropout};
#[cfg(any(feature = "flex", feature = "ndarray"))]
use crate::fused::Kernels;
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

    /// Reads the current weights from the device.
    ///
    /// # Errors
    /// [`ModelError::DeviceFailed`] or [`ModelError::Device`] where the device fails.
    pub fn to_weights(&self) -> Result<Weights, ModelError> {
        let mut weights = Weights::from_module(self)?;
        weights.set_quantization(self.quantization.clone());
        Ok(weights)
    }

    /// Returns the network with Burn's own operations only: the reference for the fused kernels of CPU backends, and for
    /// im2col on wgpu.
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

    /// Returns what the kernels of a CPU backend keep between batches, if this network uses them on `B`.
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    pub(crate) fn kernels(&self) -> Option<Kernels> {
        let first = self.blocks.first()?;
        if !first.own_operations || !crate::fused::is_host::<B>() {
            return None;
        }
        let context = nin_kernels::Context::shared().ok()?.with_precision(first.precision.into());
        match &self.quantization {
            None => Some(Kernels::Float(nin_kernels::Inference::new(&context, self.blocks.len()))),
            Some(quantization) => {
                let mut weights = self.to_weights().ok()?;
                let layers =
                    crate::int8::kernel_layers(quantization, &self.architecture, &weights)?;
                let [first, ..] = layer_names(0);
                let mut take = |part: &str| weights.remove(&format!("{first}.{part}"));
                let first = [take("weight")?.values, take("bias")?.values];
                nin_kernels::QuantizedInference::new(&context, first, layers)
                    .ok()
                    .map(Kernels::Int8)
            }
        }
    }

    /// Computes all blocks by nin-kernels in one call, if their operands allow it; otherwise returns the images.
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    pub(crate) fn maps_by(
        &self,
        kernels: &Kernels,
        images: Tensor<B, 4>,
    ) -> Result<Activations<B>, Tensor<B, 4>> {
        use crate::activations::{PANEL, primitive, tensor};
        use crate::fused::{self, Blocks};

        let [batch, mut channels, height, width] = images.dims();
        let mut size = [height, width];
        let mut geometries = Vec::with_capacity(self.blocks.len());
        for (mlpconv, block) in self.blocks_with_data() {
            let dims = [batch, channels, size[0], size[1]];
            let Ok(geometry) = mlpconv.geometry(dims, block.pool.as_ref()) else {
                return Err(images);
            };
            (channels, size) = (mlpconv.cccp2.output_channels(), geometry.output_size());
            geometries.push(geometry);
        }
        let blocks = Blocks {
            kernels,
            geometries: &geometries,
            output_shape: [batch, channels.div_ceil(PANEL), size[0] * size[1], PANEL],
        };
        let parameters: Vec<_> = self.blocks.iter().map(MlpConv::parameters).collect();
        match fused::infer::<B>(&blocks, &parameters, primitive(images)) {
            Ok(output) => Ok(Activations::Panels { tensor: tensor(output), channels, size }),
            Err(images) => Err(tensor(images)),
        }
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
