//! The gradients of a layer's parameters.

use cubecl::server::Handle;

/// The gradients of weight and bias.
#[derive(Debug, Clone)]
pub struct ParameterGradients {
    /// `[outputs, inputs, kernel, kernel]`
    pub weight: Handle,
    /// `[outputs]`
    pub bias: Handle,
}
