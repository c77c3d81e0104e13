//! The network as one of Burn's configurations.

use burn::config::Config;
use burn::tensor::backend::Backend;

use crate::architecture::{Architecture, Block};
use crate::builtin::Builtin;
use crate::error::ModelError;
use crate::initialization::Initialization;
use crate::network::NetworkInNetwork;
use crate::precision::Precision;

/// Configuration of a [`NetworkInNetwork`] with fresh weights.
///
/// The weights are a function of the seed, the same on every backend and device; Burn's global generator
/// (`Backend::seed`) plays no part.
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_flex::{Flex, FlexDevice};
/// use nin_model::NetworkInNetworkConfig;
///
/// # fn main() -> Result<(), nin_model::ModelError> {
/// let network = NetworkInNetworkConfig::d2l(10).with_seed(42).init::<Flex>(&FlexDevice)?;
/// let images = Tensor::zeros([1, 1, 224, 224], &FlexDevice); // [batch, channels, height, width]
/// assert_eq!(network.forward(images).dims(), [1, 10]); // [batch, classes]
/// # Ok(())
/// # }
/// ```
#[derive(Config, Debug)]
pub struct NetworkInNetworkConfig {
    /// The architecture's name, for people.
    pub name: String,
    /// Channels of the images.
    pub input_channels: usize,
    /// Number of classes.
    pub classes: usize,
    /// The blocks, first to last.
    pub blocks: Vec<Block>,
    /// How initial weights are drawn. `lsuv` and `lsuv-open` also fit them to images, which
    /// [`Initialization::fit`] does; here they are drawn and not fitted.
    #[config(default = "Initialization::Xavier")]
    pub initialization: Initialization,
    /// Seed of the initial weights.
    #[config(default = 42)]
    pub seed: u64,
    /// Arithmetic of the fused CPU kernels.
    #[config(default = "Precision::Fp32")]
    pub precision: Precision,
}

impl NetworkInNetworkConfig {
    /// Configures the network of Dive into Deep Learning, for grey images of 224x224.
    pub fn d2l(classes: usize) -> Self {
        Self::builtin(Builtin::D2l, 1, classes)
    }

    /// Configures a built-in architecture for images of this many channels.
    pub fn builtin(builtin: Builtin, input_channels: usize, classes: usize) -> Self {
        let blocks = builtin.blocks().to_vec();
        Self::new(builtin.name().to_owned(), input_channels, classes, blocks)
    }

    /// Creates the network on a device.
    ///
    /// # Errors
    /// [`ModelError::Architecture`] or [`ModelError::TooLarge`] where a value is refused, such as fewer than 2 classes.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<NetworkInNetwork<B>, ModelError> {
        let Self { name, input_channels, classes, .. } = self;
        let architecture = Architecture::new(name, *input_channels, *classes, self.blocks.clone())?;
        let weights = self.initialization.weights(&architecture, self.seed);
        let network = NetworkInNetwork::from_weights(&architecture, &weights, device)?;
        Ok(network.with_precision(self.precision))
    }
}

#[cfg(test)]
mod tests {
    use burn_flex::{Flex, FlexDevice};

    use super::*;

    #[test]
    fn a_configuration_gives_the_weights_of_its_seed_and_reads_back() {
        let config = NetworkInNetworkConfig::builtin(Builtin::PaperMnist, 1, 10)
            .with_seed(7)
            .with_initialization(Initialization::Kaiming);
        let architecture = Builtin::PaperMnist.architecture(1, 10).unwrap();
        let expected = Initialization::Kaiming.weights(&architecture, 7);
        for config in [&config, &serde_json::from_str(&config.to_string()).unwrap()] {
            let network = config.init::<Flex>(&FlexDevice).unwrap();
            assert!(network.to_weights().unwrap() == expected);
        }
    }

    #[test]
    fn no_classes_are_an_error() {
        let error = NetworkInNetworkConfig::d2l(0).init::<Flex>(&FlexDevice).unwrap_err();
        assert!(matches!(error, ModelError::Architecture { .. }), "{error}");
    }
}
