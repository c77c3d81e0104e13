//! The parameters of a module, by name.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Visits the parameters of a module, first to last.
pub trait ParameterVisitor<B: Backend> {
    /// Visits a float parameter. The name is its path in the module, such as `blocks.0.cccp1.bias`.
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>);
}

/// Calls the visitor for each float parameter of a module.
pub fn visit_parameters<B: Backend>(
    module: &impl Module<B>,
    visitor: &mut impl ParameterVisitor<B>,
) {
    module.visit(&mut Named { path: Vec::new(), visitor });
}

/// Collects the path of each parameter, which Burn reports one segment at a time.
struct Named<'a, V> {
    path: Vec<String>,
    visitor: &'a mut V,
}

impl<B: Backend, V: ParameterVisitor<B>> ModuleVisitor<B> for Named<'_, V> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<B, D>>) {
        self.visitor.visit(&self.path.join("."), parameter);
    }
}
