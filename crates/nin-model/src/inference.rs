//! A network prepared for inference.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::NetworkInNetwork;

/// A network prepared for inference: on a CPU backend, its weights are packed and transformed once, on first use, and threads
/// share a single image.
///
/// It computes what [`NetworkInNetwork::forward`] does, in less time: a network that may still be trained packs its weights for
/// each batch. Results differ in the last bits where Winograd's algorithm pays for a small batch only because its weights are
/// transformed already. Packed weights take about as much memory as the weights, or up to four times as much in layers that
/// Winograd's algorithm computes.
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
/// let plan = InferencePlan::new(config.init::<Flex>(&FlexDevice)?);
/// let images = Tensor::zeros([1, 1, 28, 28], &FlexDevice); // [batch, channels, height, width]
/// assert_eq!(plan.forward(images).dims(), [1, 10]); // [batch, classes]
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct InferencePlan<B: Backend> {
    /// Owned: its weights never change.
    network: NetworkInNetwork<B>,
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    kernels: Option<crate::fused::Kernels>,
}

impl<B: Backend> InferencePlan<B> {
    /// Prepares a network.
    pub fn new(network: NetworkInNetwork<B>) -> Self {
        Self {
            #[cfg(any(feature = "flex", feature = "ndarray"))]
            kernels: network.kernels(),
            network,
        }
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
        self.maps(images).mean_of_maps()
    }

    /// Computes the class maps `[batch, classes, height', width']` of images `[batch, channels, height, width]`.
    ///
    /// # Panics
    /// As [`NetworkInNetwork::forward`].
    pub fn class_maps(&self, images: Tensor<B, 4>) -> Tensor<B, 4> {
        self.maps(images).into_planes()
    }

    fn maps(&self, images: Tensor<B, 4>) -> crate::activations::Activations<B> {
        #[cfg(any(feature = "flex", feature = "ndarray"))]
        let images = match &self.kernels {
            Some(kernels) => match self.network.maps_by(kernels, images) {
                Ok(maps) => return maps,
                Err(images) => images,
            },
            None => images,
        };
        self.network.maps(images, None)
    }
}
