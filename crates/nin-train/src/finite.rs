//! Whether the gradients of a step are numbers, asked before they touch the weights.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use nin_model::{HostTensor, ModelError, ParameterVisitor, visit_parameters};

use crate::classifier::Classifier;

/// The name of a parameter whose gradient holds NaN or infinity, if there is one: of several the
/// one nearest to the loss, where it came up first.
///
/// A sum is infinite or NaN where a summand is; the sums are made on the device, and one tensor of
/// them is read back. A gradient whose finite values add up to more than a 32-bit float holds
/// counts as infinite, too.
///
/// # Errors
/// [`ModelError::Device`] where the device does not give the sums back.
pub(crate) fn non_finite_gradient<B: AutodiffBackend>(
    classifier: &Classifier<B>,
    gradients: &GradientsParams,
) -> Result<Option<String>, ModelError> {
    let mut sums = Sums::<B> { gradients, names: Vec::new(), values: Vec::new() };
    visit_parameters(classifier.network(), &mut sums);
    let Sums { mut names, values, .. } = sums;
    if values.is_empty() {
        return Ok(None);
    }
    let sums = HostTensor::read("gradients", &Tensor::cat(values, 0))?; // [parameters]
    let position = sums.values.iter().rposition(|sum| !sum.is_finite());
    Ok(position.map(|position| names.swap_remove(position)))
}

struct Sums<'a, B: AutodiffBackend> {
    gradients: &'a GradientsParams,
    names: Vec<String>,
    values: Vec<Tensor<B::InnerBackend, 1>>,
}

impl<B: AutodiffBackend> ParameterVisitor<B> for Sums<'_, B> {
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.get::<B::InnerBackend, D>(parameter.id) {
            self.names.push(name.to_owned());
            self.values.push(gradient.sum());
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn::tensor::{Int, TensorData};
    use burn::train::TrainStep;
    use burn_flex::{Flex, FlexDevice};
    use nin_data::ImageBatch;
    use nin_model::NetworkInNetwork;

    use super::*;
    use crate::sample;

    type Training = Autodiff<Flex>;

    /// The parameter that is found where the first pixel has this value.
    fn found(pixel: f32) -> Option<String> {
        let checkpoint = sample::checkpoint(1);
        let architecture = &checkpoint.metadata.architecture;
        let network =
            NetworkInNetwork::from_weights(architecture, &checkpoint.weights, &FlexDevice).unwrap();
        let classifier = Classifier::<Training>::new(network, 1);
        let mut pixels = vec![0.5_f32; 32];
        pixels[0] = pixel;
        let targets: Tensor<Training, 1, Int> =
            Tensor::from_data(TensorData::new(vec![0_i64, 1], [2]), &FlexDevice);
        let batch = ImageBatch {
            images: Tensor::from_data(TensorData::new(pixels, [2, 1, 4, 4]), &FlexDevice),
            targets,
            labels: vec![0, 1],
            indices: vec![0, 1],
            epoch: 1,
            step: 0,
        };
        let gradients = TrainStep::step(&classifier, batch).grads;
        non_finite_gradient(&classifier, &gradients).unwrap()
    }

    #[test]
    fn a_gradient_that_is_no_number_is_found_and_named() {
        assert_eq!(found(0.5), None);
        let name = found(f32::NAN).expect("NaN spreads");
        assert!(name.starts_with("blocks.0."), "{name}");
    }
}
