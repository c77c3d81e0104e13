//! An exponential moving average of the weights, which is evaluated and saved in their place.
//!
//! Polyak and Juditsky (1992) average all weights of a training; a decay gives the last ones more weight. As in
//! TensorFlow's `ExponentialMovingAverage` with `num_updates`, the decay of update n is at most (1 + n) / (10 + n), so
//! that the first weights are soon forgotten. The average starts at the initial weights, and depends only on the
//! weights and on n.
//!
//! In a checkpoint, the average is the model, and the trained weights are part of the optimizer's state.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use nin_model::{
    HostTensor, ModelError, NetworkInNetwork, ParameterVisitor, Weights, visit_parameters,
};

use crate::fine_tuning::is_frozen;

/// Name prefix of a trained weight in the training state.
const PREFIX: &str = "trained.";

/// The moving average, on the device.
#[derive(Debug)]
pub(crate) struct Average<B: Backend> {
    decay: f64,
    /// Number of frozen first blocks.
    frozen_blocks: usize,
    /// Shape and flattened values of each weight, by name.
    tensors: BTreeMap<String, (Vec<usize>, Tensor<B, 1>)>,
}

impl<B: Backend> Average<B> {
    /// Creates an average with these values.
    pub(crate) fn at(weights: &Weights, decay: f64, device: &B::Device) -> Self {
        let tensors = weights.iter().map(|(name, HostTensor { shape, values })| {
            let data = TensorData::new(values.clone(), [values.len()]);
            (name.to_owned(), (shape.clone(), Tensor::from_data(data, device)))
        });
        Self { decay, frozen_blocks: 0, tensors: tensors.collect() }
    }

    /// Skips the first blocks, which are frozen. Averaging equal values could change them by rounding.
    #[must_use]
    pub(crate) fn with_frozen_blocks(self, frozen_blocks: usize) -> Self {
        Self { frozen_blocks, ..self }
    }

    /// Updates the average with the weights after a step. `updates` is the number of earlier updates.
    pub(crate) fn update(&mut self, network: &NetworkInNetwork<B>, updates: usize) {
        let updates = updates as f64;
        let decay = self.decay.min((1.0 + updates) / (10.0 + updates));
        let Self { frozen_blocks, tensors, .. } = self;
        visit_parameters(network, &mut Update { decay, frozen_blocks: *frozen_blocks, tensors });
    }

    /// Reads the average from the device.
    pub(crate) fn weights(&self) -> Result<Weights, ModelError> {
        let tensors = self.tensors.iter().map(|(name, (shape, tensor))| {
            let HostTensor { values, .. } = HostTensor::read(name, tensor)?;
            Ok((name.clone(), HostTensor { shape: shape.clone(), values }))
        });
        tensors.collect()
    }
}

struct Update<'a, B: Backend> {
    decay: f64,
    frozen_blocks: usize,
    tensors: &'a mut BTreeMap<String, (Vec<usize>, Tensor<B, 1>)>,
}

impl<B: Backend> ParameterVisitor<B> for Update<'_, B> {
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>) {
        if is_frozen(name, self.frozen_blocks) {
            return;
        }
        if let Some((_, average)) = self.tensors.get_mut(name) {
            let values = parameter.val();
            let length = values.shape().num_elements();
            let new = values.reshape([length]).mul_scalar(1.0 - self.decay);
            *average = average.clone().mul_scalar(self.decay) + new;
        }
    }
}

/// Adds the trained weights to the training state.
pub(crate) fn add_trained(weights: &Weights, state: &mut Weights) {
    for (name, tensor) in weights.iter() {
        state.insert(format!("{PREFIX}{name}"), tensor.clone());
    }
}

/// Returns the trained weights from the training state; `None` without an average.
pub(crate) fn trained(state: &Weights) -> Option<Weights> {
    let named = state
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(PREFIX)?.to_owned(), tensor.clone())));
    Some(named.collect::<Weights>()).filter(|weights| !weights.is_empty())
}

#[cfg(test)]
mod tests {
    use burn_flex::{Flex, FlexDevice};

    use super::*;
    use crate::sample;

    #[test]
    fn it_is_the_naive_average_and_goes_on_from_the_host() {
        /// Rounding of products of 32-bit floats, in the same order.
        const TOLERANCE: f64 = 1e-6;
        const DECAY: f64 = 0.3;
        let weights = |seed| sample::checkpoint(seed).weights;
        let architecture = sample::checkpoint(1).metadata.architecture;
        let network = |seed| {
            NetworkInNetwork::<Flex>::from_weights(&architecture, &weights(seed), &FlexDevice)
                .unwrap()
        };
        let name = "blocks.0.cccp2.weight";
        let value = |weights: &Weights| f64::from(weights.get(name).unwrap().values[0]);
        let mut average = Average::<Flex>::at(&weights(0), DECAY, &FlexDevice);
        let mut expected = value(&weights(0));
        for step in 0..9 {
            average.update(&network(step + 1), step);
            let decay = DECAY.min([0.1, 2.0 / 11.0, 0.25].get(step).copied().unwrap_or(DECAY));
            expected = decay * expected + (1.0 - decay) * value(&weights(step + 1));
            // A round trip through a checkpoint changes nothing.
            let stored = average.weights().unwrap();
            assert!((value(&stored) - expected).abs() < TOLERANCE);
            average = Average::at(&stored, DECAY, &FlexDevice);
            assert_eq!(average.weights().unwrap(), stored);
        }
        average.weights().unwrap().check(&architecture).unwrap();
    }

    #[test]
    fn the_weights_that_go_on_are_part_of_the_state() {
        let mut state = sample::checkpoint(1).optimizer;
        assert!(trained(&state).is_none());
        add_trained(&sample::checkpoint(2).weights, &mut state);
        assert_eq!(trained(&state), Some(sample::checkpoint(2).weights));
    }
}
