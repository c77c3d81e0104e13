//! Checks the gradients of a step before they change the weights: none is missing, and all are finite. Computes their norm.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use nin_model::{HostTensor, ModelError, ParameterVisitor, visit_parameters};

use crate::classifier::Classifier;
use crate::clipping::squares_on_host;
use crate::gradients::sums_on_gpu;

/// The result of the check.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gradients {
    /// The name of a parameter whose gradient holds NaN or infinity. Of several, it is the one nearest to the loss,
    /// where the value first appears in the backward pass.
    pub(crate) non_finite: Option<String>,
    /// The global norm of all gradients, if it was requested.
    pub(crate) norm: Option<f64>,
}

/// Checks the gradients of a step, and computes their norm on request.
///
/// Sums each gradient on the device and reads all sums together. A sum is NaN or infinite if any value is. A gradient of
/// finite values whose sum exceeds the range of a 32-bit float may count as infinite too. Without kernels for a GPU, the
/// norm is added up on the host, in 64 bits and in an order that does not depend on threads.
///
/// # Errors
/// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if the sums or a gradient cannot be read from the device.
pub(crate) fn examine<B: AutodiffBackend>(
    classifier: &Classifier<B>,
    gradients: &GradientsParams,
    with_norm: bool,
) -> Result<Gradients, ModelError> {
    if let Some((mut names, sums)) = sums_on_gpu(classifier, gradients)? {
        let position = sums.iter().rposition(|sums| !sums.sum.is_finite());
        let square: f64 = sums.iter().map(|sums| sums.squares).sum();
        return Ok(Gradients {
            non_finite: position.map(|position| names.swap_remove(position)),
            norm: with_norm.then(|| norm(square)),
        });
    }
    let mut sums = Sums::<B> { gradients, names: Vec::new(), values: Vec::new() };
    visit_parameters(classifier.network(), &mut sums);
    let Sums { mut names, values, .. } = sums;
    if values.is_empty() {
        return Ok(Gradients { non_finite: None, norm: None });
    }
    // [parameters]
    let sums = HostTensor::read("gradients", &Tensor::cat(values, 0))?;
    let position = sums.values.iter().rposition(|sum| !sum.is_finite());
    // The last bits of Burn's `sum` depend on threads or scheduling, and checkpoints store the norm.
    let squares = with_norm.then(|| squares_on_host(classifier, gradients)).transpose()?;
    Ok(Gradients {
        non_finite: position.map(|position| names.swap_remove(position)),
        norm: squares.map(norm),
    })
}

/// Checks that each trained parameter has a gradient. An optimizer would leave one without as it is, and say nothing.
///
/// # Errors
/// [`ModelError::MissingGradient`] names the first parameter without.
pub(crate) fn complete<B: AutodiffBackend>(
    classifier: &Classifier<B>,
    gradients: &GradientsParams,
) -> Result<(), ModelError> {
    let mut missing = Missing { gradients, first: None };
    visit_parameters(classifier.network(), &mut missing);
    missing.first.map_or(Ok(()), |name| Err(ModelError::MissingGradient { name }))
}

struct Missing<'a> {
    gradients: &'a GradientsParams,
    first: Option<String>,
}

impl<B: AutodiffBackend> ParameterVisitor<B> for Missing<'_> {
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>) {
        let is_missing = || self.gradients.get::<B::InnerBackend, D>(parameter.id).is_none();
        if self.first.is_none() && parameter.val().is_require_grad() && is_missing() {
            self.first = Some(name.to_owned());
        }
    }
}

/// Returns the root of a sum of squares: finite, because JSON cannot represent infinity and a checkpoint stores the norm.
fn norm(square: f64) -> f64 {
    square.sqrt().min(f64::from(f32::MAX))
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
    use burn::module::Module;
    use burn::tensor::{Int, TensorData};
    use burn::train::TrainStep;
    use burn_flex::{Flex, FlexDevice};
    use nin_data::ImageBatch;
    use nin_model::NetworkInNetwork;

    use super::*;
    use crate::sample;

    type Training = Autodiff<Flex>;

    /// Returns the result of the check with weights of this seed and this value of the first pixel, and the norm
    /// computed on the host.
    fn found(seed: usize, pixel: f32) -> (Gradients, f64) {
        let checkpoint = sample::checkpoint(seed);
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
            mixed: None,
            indices: vec![0, 1],
            epoch: 1,
            step: 0,
            place: None,
        };
        let gradients = TrainStep::step(&classifier, batch).grads;
        let mut host = HostNorm { gradients: &gradients, square: 0.0 };
        visit_parameters(classifier.network(), &mut host);
        let norm = host.square.sqrt();
        let without = examine(&classifier, &gradients, false).unwrap();
        let found = examine(&classifier, &gradients, true).unwrap();
        assert_eq!(without, Gradients { norm: None, ..found.clone() });
        (found, norm)
    }

    struct HostNorm<'a> {
        gradients: &'a GradientsParams,
        square: f64,
    }

    impl ParameterVisitor<Training> for HostNorm<'_> {
        fn visit<const D: usize>(&mut self, _name: &str, parameter: &Param<Tensor<Training, D>>) {
            let gradient = self.gradients.get::<Flex, D>(parameter.id).unwrap();
            let values = HostTensor::read("gradient", &gradient).unwrap().values;
            self.square += values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
        }
    }

    #[test]
    fn a_missing_gradient_is_named_unless_its_parameter_is_frozen() {
        let checkpoint = sample::checkpoint(1);
        let architecture = &checkpoint.metadata.architecture;
        let network =
            NetworkInNetwork::from_weights(architecture, &checkpoint.weights, &FlexDevice).unwrap();
        let classifier = Classifier::<Training>::new(network, 1);
        let none = GradientsParams::new();
        let name = "blocks.0.convolution.weight".to_owned();
        assert_eq!(complete(&classifier, &none), Err(ModelError::MissingGradient { name }));
        assert_eq!(complete(&classifier.no_grad(), &none), Ok(()));
    }

    #[test]
    fn a_gradient_that_is_no_number_is_found_and_named() {
        assert_eq!(found(1, 0.5).0.non_finite, None);
        let name = found(1, f32::NAN).0.non_finite.expect("NaN spreads");
        assert!(name.starts_with("blocks.0."), "{name}");
    }

    #[test]
    fn the_norm_is_that_of_all_gradients_together() {
        // With one channel per layer, most seeds are dead.
        let alive = (1..50).map(|seed| found(seed, 0.5)).find(|(_, expected)| *expected > 0.0);
        let (Gradients { norm, .. }, expected) = alive.expect("one of fifty seeds");
        assert_eq!(norm, Some(expected));
    }
}
