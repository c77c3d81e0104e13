//! The gradients of a network's parameters, in their order.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use nin_model::{ParameterVisitor, visit_parameters};

use crate::classifier::Classifier;

/// A gradient as `[values]`, with the name of its parameter.
pub(crate) type NamedGradient<B> = (String, Tensor<B, 1>);

/// Returns the gradient of each parameter that has one.
pub(crate) fn named_gradients<B: AutodiffBackend>(
    classifier: &Classifier<B>,
    gradients: &GradientsParams,
) -> Vec<NamedGradient<B::InnerBackend>> {
    let mut named = Named::<B> { gradients, found: Vec::new() };
    visit_parameters(classifier.network(), &mut named);
    named.found
}

struct Named<'a, B: AutodiffBackend> {
    gradients: &'a GradientsParams,
    found: Vec<NamedGradient<B::InnerBackend>>,
}

impl<B: AutodiffBackend> ParameterVisitor<B> for Named<'_, B> {
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.get::<B::InnerBackend, D>(parameter.id) {
            let values: usize = gradient.dims().iter().product();
            self.found.push((name.to_owned(), gradient.reshape([values])));
        }
    }
}
