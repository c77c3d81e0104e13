//! The gradients of a network's parameters on wgpu, for kernels that take many tensors.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use nin_model::{
    ModelError, ParameterVisitor, TensorSums, fused_sums, has_gpu_kernels, visit_parameters,
};

use crate::classifier::Classifier;

/// Names of parameters, and the gradient of each as `[values]`.
type NamedGradients<B> = (Vec<String>, Vec<Tensor<B, 1>>);

/// Names of parameters, and the sums of each gradient.
type NamedSums = (Vec<String>, Vec<TensorSums>);

/// Returns the gradients of the parameters that have one if the backend is wgpu.
pub(crate) fn gradients_on_gpu<B: AutodiffBackend>(
    classifier: &Classifier<B>,
    gradients: &GradientsParams,
) -> Option<NamedGradients<B::InnerBackend>> {
    if !classifier.devices().iter().all(has_gpu_kernels::<B>) {
        return None;
    }
    let mut found = Found::<B> { gradients, named: (Vec::new(), Vec::new()) };
    visit_parameters(classifier.network(), &mut found);
    Some(found.named)
}

/// Returns the names of the parameters that have a gradient, and the sums of each gradient, if the backend is wgpu.
///
/// # Errors
/// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if the sums cannot be read from the device.
pub(crate) fn sums_on_gpu<B: AutodiffBackend>(
    classifier: &Classifier<B>,
    gradients: &GradientsParams,
) -> Result<Option<NamedSums>, ModelError> {
    let Some((names, values)) = gradients_on_gpu(classifier, gradients) else { return Ok(None) };
    Ok(fused_sums(&values)?.map(|sums| (names, sums)))
}

struct Found<'a, B: AutodiffBackend> {
    gradients: &'a GradientsParams,
    named: NamedGradients<B::InnerBackend>,
}

impl<B: AutodiffBackend> ParameterVisitor<B> for Found<'_, B> {
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.get::<B::InnerBackend, D>(parameter.id) {
            let values: usize = gradient.dims().iter().product();
            let (names, gradients) = &mut self.named;
            names.push(name.to_owned());
            gradients.push(gradient.reshape([values]));
        }
    }
}
