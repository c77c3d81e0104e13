//! Gradient clipping by global norm (Pascanu, Mikolov and Bengio, arXiv:1211.5063, section 3.2), like
//! `torch.nn.utils.clip_grad_norm_`.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use nin_model::{HostTensor, ModelError, ParameterVisitor, fused_scaled, visit_parameters};

use crate::classifier::Classifier;
use crate::gradients::{gradients_on_gpu, sums_on_gpu};

/// Added to the norm before dividing by it, as in PyTorch.
const EPSILON: f64 = 1e-6;

/// Scales all gradients by one factor so that their global norm is at most `most`. Returns the norm before.
///
/// The order of the sum of squares depends on the sizes alone, so that the weights do not depend on the number of threads: on
/// wgpu, a kernel adds them in 32 bits, elsewhere the host in 64.
///
/// # Errors
/// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if a gradient cannot be read from the device.
pub(crate) fn clip<B: AutodiffBackend>(
    classifier: &Classifier<B>,
    gradients: &mut GradientsParams,
    most: f64,
) -> Result<f64, ModelError> {
    let norm = match squares_on_gpu(classifier, gradients)? {
        Some(squares) => squares.sqrt(),
        None => squares_on_host(classifier, gradients)?.sqrt(),
    };
    let factor = most / (norm + EPSILON);
    if factor < 1.0 {
        scale(classifier, gradients, factor);
    }
    Ok(norm)
}

/// Returns the sum of squares if the gradients are on wgpu and 32 bits are enough for it.
fn squares_on_gpu<B: AutodiffBackend>(
    classifier: &Classifier<B>,
    gradients: &GradientsParams,
) -> Result<Option<f64>, ModelError> {
    let Some((_, sums)) = sums_on_gpu(classifier, gradients)? else { return Ok(None) };
    let square: f64 = sums.iter().map(|sums| sums.squares).sum();
    Ok(Some(square).filter(|square| square.is_finite()))
}

/// Returns the sum of squares of all gradients, added up on the host.
///
/// # Errors
/// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if a gradient cannot be read from the device.
pub(crate) fn squares_on_host<B: AutodiffBackend>(
    classifier: &Classifier<B>,
    gradients: &GradientsParams,
) -> Result<f64, ModelError> {
    let mut squares = Squares { gradients, sum: 0.0, failure: None };
    visit_parameters(classifier.network(), &mut squares);
    squares.failure.map_or(Ok(squares.sum), Err)
}

/// Multiplies all gradients by a factor.
pub(crate) fn scale<B: AutodiffBackend>(
    classifier: &Classifier<B>,
    gradients: &mut GradientsParams,
    factor: f64,
) {
    let on_gpu = gradients_on_gpu(classifier, gradients);
    let scaled = on_gpu.and_then(|(_, values)| fused_scaled(&values, factor as f32));
    let scaled = scaled.unwrap_or_default().into_iter();
    visit_parameters(classifier.network(), &mut Scale::<B> { gradients, factor, scaled });
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    sum: f64,
    failure: Option<ModelError>,
}

impl<B: AutodiffBackend> ParameterVisitor<B> for Squares<'_> {
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>) {
        let Some(gradient) = self.gradients.get::<B::InnerBackend, D>(parameter.id) else { return };
        match HostTensor::read(name, &gradient) {
            Ok(HostTensor { values, .. }) => {
                self.sum += values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
            }
            Err(error) => {
                self.failure.get_or_insert(error);
            }
        }
    }
}

struct Scale<'a, B: AutodiffBackend> {
    gradients: &'a mut GradientsParams,
    factor: f64,
    /// The scaled gradients as `[values]`, where a kernel has computed them; otherwise empty.
    scaled: std::vec::IntoIter<Tensor<B::InnerBackend, 1>>,
}

impl<B: AutodiffBackend> ParameterVisitor<B> for Scale<'_, B> {
    fn visit<const D: usize>(&mut self, _name: &str, parameter: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.remove::<B::InnerBackend, D>(parameter.id) {
            let scaled = match self.scaled.next() {
                Some(scaled) => scaled.reshape(gradient.dims()),
                None => gradient.mul_scalar(self.factor),
            };
            self.gradients.register(parameter.id, scaled);
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn::tensor::TensorData;
    use burn_flex::{Flex, FlexDevice};
    use nin_model::NetworkInNetwork;

    use super::*;
    use crate::sample;

    type Training = Autodiff<Flex>;

    /// Gives each parameter the gradient 1, 2, 3, ....
    struct Fill<'a>(&'a mut GradientsParams, usize);

    impl ParameterVisitor<Training> for Fill<'_> {
        fn visit<const D: usize>(&mut self, _name: &str, parameter: &Param<Tensor<Training, D>>) {
            let shape = parameter.val().dims();
            let count: usize = shape.iter().product();
            let values: Vec<f32> = (self.1..self.1 + count).map(|at| (at + 1) as f32).collect();
            self.1 += count;
            let gradient =
                Tensor::<Flex, D>::from_data(TensorData::new(values, shape), &FlexDevice);
            self.0.register(parameter.id, gradient);
        }
    }

    struct Read<'a>(&'a GradientsParams, Vec<f32>);

    impl ParameterVisitor<Training> for Read<'_> {
        fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<Training, D>>) {
            let gradient = self.0.get::<Flex, D>(parameter.id).unwrap();
            self.1.extend(HostTensor::read(name, &gradient).unwrap().values);
        }
    }

    /// Returns the norm and the clipped gradients.
    fn clipped(most: f64) -> (f64, Vec<f32>) {
        let checkpoint = sample::checkpoint(1);
        let architecture = &checkpoint.metadata.architecture;
        let network =
            NetworkInNetwork::from_weights(architecture, &checkpoint.weights, &FlexDevice).unwrap();
        let classifier = Classifier::<Training>::new(network, 1);
        let mut gradients = GradientsParams::new();
        visit_parameters(classifier.network(), &mut Fill(&mut gradients, 0));
        let norm = clip(&classifier, &mut gradients, most).unwrap();
        let mut read = Read(&gradients, Vec::new());
        visit_parameters(classifier.network(), &mut read);
        (norm, read.1)
    }

    #[test]
    fn all_gradients_are_scaled_together_and_small_ones_stay() {
        /// The rounding of one product of 32-bit floats.
        const TOLERANCE: f32 = 1e-6;
        let (norm, plain) = clipped(1e6);
        let naive = (1..=plain.len()).map(|value| (value * value) as f64).sum::<f64>().sqrt();
        assert!((norm - naive).abs() < 1e-9, "{norm} {naive}");
        assert!(plain.iter().enumerate().all(|(at, &value)| value == (at + 1) as f32));
        let (again, scaled) = clipped(0.5);
        assert_eq!(again, norm);
        let factor = (0.5 / (norm + 1e-6)) as f32;
        for (scaled, plain) in scaled.iter().zip(&plain) {
            assert!((scaled / (plain * factor) - 1.0).abs() < TOLERANCE, "{scaled} {plain}");
        }
        assert_eq!(clipped(naive + 1e-3).1, plain);
    }
}
