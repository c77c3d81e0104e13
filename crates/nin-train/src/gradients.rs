//! The gradients of a network's parameters on wgpu, for kernels that take many tensors.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use nin_model::{ParameterVisitor, has_gpu_kernels, visit_parameters};

use crate::classifier::Classifier;

/// Names of parameters, and the gradient of each as `[values]`.
type NamedGradients<B> = (Vec<String>, Vec<Tensor<B, 1>>);

/// Returns the gradients of the parameters that have one if the backend is wgpu.
pub(crate) fn gradients_on_gpu<B: AutodiffBackend>(
    classifier: &Classifier<B>,
    gradients: &GradientsParams,
) -> Option<NamedGradients<B::InnerBackend>> {
    let mut found = Found::<B> { gradients, named: (Vec::new(), Vec::new()), is_on_gpu: true };
    visit_parameters(classifier.network(), &mut found);
    found.is_on_gpu.then_some(found.named)
}

struct Found<'a, B: AutodiffBackend> {
    gradients: &'a GradientsParams,
    named: NamedGradients<B::InnerBackend>,
    is_on_gpu: bool,
}

impl<B: AutodiffBackend> ParameterVisitor<B> for Found<'_, B> {
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>) {
        self.is_on_gpu = self.is_on_gpu && has_gpu_kernels::<B>(&parameter.device());
        if !self.is_on_gpu {
            return;
        }
        if let Some(gradient) = self.gradients.get::<B::InnerBackend, D>(parameter.id) {
            let values: usize = gradient.dims().iter().product();
            let (names, gradients) = &mut self.named;
            names.push(name.to_owned());
            gradients.push(gradient.reshape([values]));
        }
    }
}
