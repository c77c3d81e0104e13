//! A network prepared for inference.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

#[cfg(any(feature = "flex", feature = "ndarray"))]
use crate::fused::{Answer, Blocks};
use crate::{ModelError, NetworkInNetwork};

/// A network prepared for inference: on a CPU backend, its weights are packed and transformed once, on first use, and threads
/// share a single image.
///
/// It computes what [`NetworkInNetwork::forward`] does, in less time: a network that may still be trained packs its weights for
/// each batch. Results differ in the last bits where Winograd's algorithm pays for a small batch only because its weights are
/// transformed already. Packed weights take about as much memory as the weights, or up to four times as much in layers that
/// Winograd's algorithm computes.
///
/// It holds the weights that the network had: training a clone of the network, or loading other weights into it, changes no plan.
///
/// A network of int8 weights ([`Weights::quantized`](crate::Weights::quantized)) multiplies integers here, with rounded
/// activations, and fp32 everywhere else.
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_flex::{Flex, FlexDevice};
/// use nin_model::{Builtin, InferencePlan, NetworkInNetworkConfig};
///
/// # fn main() -> Result<(), nin_model::ModelError> {
/// let config = NetworkInNetworkConfig::builtin(Builtin::PaperMnist, 1, 10).with_seed(42);
/// let plan = InferencePlan::new(config.init::<Flex>(&FlexDevice)?)?;
/// let images = Tensor::zeros([1, 1, 28, 28], &FlexDevice); // [batch, channels, height, width]
/// assert_eq!(plan.forward(images).dims(), [1, 10]); // [batch, classes]
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct InferencePlan<B: Backend> {
    /// Owned: its weights never change.
    network: NetworkInNetwork<B>,
    /// `None` where Burn's own operations compute.
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    blocks: Option<Blocks<B>>,
}

impl<B: Backend> InferencePlan<B> {
    /// Prepares a network.
    ///
    /// # Errors
    /// [`ModelError::Kernel`] where the kernels cannot run, or reject int8 weights because their sums may overflow. For int8
    /// weights also those of [`NetworkInNetwork::to_weights`] and [`Weights::check`](crate::Weights::check).
    pub fn new(network: NetworkInNetwork<B>) -> Result<Self, ModelError> {
        Ok(Self {
            #[cfg(any(feature = "flex", feature = "ndarray"))]
            blocks: network.prepared()?,
            network,
        })
    }

    /// Returns the network.
    pub fn network(&self) -> &NetworkInNetwork<B> {
        &self.network
    }

    /// Computes the logits `[batch, classes]` of images `[batch, channels, height, width]`.
    ///
    /// # Panics
    /// As [`NetworkInNetwork::forward`].
    pub fn forward(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        #[cfg(any(feature = "flex", feature = "ndarray"))]
        let images = match self.answer(Answer::Logits, images) {
            Ok(logits) => return logits,
            Err(images) => images,
        };
        self.network.forward(images)
    }

    /// Computes the class maps `[batch, classes, height', width']` of images `[batch, channels, height, width]`.
    ///
    /// # Panics
    /// As [`NetworkInNetwork::forward`].
    pub fn class_maps(&self, images: Tensor<B, 4>) -> Tensor<B, 4> {
        #[cfg(any(feature = "flex", feature = "ndarray"))]
        let images = match self.answer(Answer::ClassMaps, images) {
            Ok(maps) => return maps,
            Err(images) => images,
        };
        self.network.class_maps(images)
    }

    /// Answers images by the prepared blocks, or returns them if those do not take them.
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    fn answer<const D: usize>(
        &self,
        answer: Answer,
        images: Tensor<B, 4>,
    ) -> Result<Tensor<B, D>, Tensor<B, 4>> {
        match &self.blocks {
            Some(blocks) => self.network.answer_by(blocks, answer, images),
            None => Err(images),
        }
    }
}
