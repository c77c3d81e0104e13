//! Updates of parameters in one pass, where the backend has a kernel for them.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// A step of SGD with momentum, as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// The learning rate.
    pub rate: f64,
    /// The factor on the momentum buffer.
    pub momentum: f64,
    /// The factor on the weight that is added to the gradient.
    pub weight_decay: f64,
}

/// A step of AdamW, as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// The learning rate.
    pub rate: f64,
    /// The factors on the moving averages of the gradient and of its square.
    pub betas: [f64; 2],
    /// What is added to the root.
    pub epsilon: f64,
    /// The bias corrections of both averages.
    pub corrections: [f64; 2],
    /// The weight decay, which is multiplied by the learning rate.
    pub weight_decay: f64,
}

/// Calls a function that updates parameters by [`SgdStep::fused`] or [`AdamWStep::fused`]. On wgpu, they are updated at its end,
/// many in one kernel: until then, the contents of the updated tensors are undefined.
pub fn update_together<T>(function: impl FnOnce() -> T) -> T {
    #[cfg(feature = "wgpu")]
    return crate::gpu::together(function);
    #[cfg(not(feature = "wgpu"))]
    function()
}

#[cfg(not(feature = "wgpu"))]
#[allow(clippy::unused_self, reason = "the same signatures as with wgpu")]
impl SgdStep {
    /// Returns the updated weight and momenta if the backend is wgpu. There are no momenta before the first step.
    pub fn fused<B: Backend, const D: usize>(
        &self,
        _operands: [&Tensor<B, D>; 2],
        _momenta: Option<&Tensor<B, D>>,
    ) -> Option<[Tensor<B, D>; 2]> {
        None
    }
}

#[cfg(not(feature = "wgpu"))]
#[allow(clippy::unused_self, reason = "the same signatures as with wgpu")]
impl AdamWStep {
    /// Returns the updated weight and both averages if the backend is wgpu. There are no averages before the first step.
    pub fn fused<B: Backend, const D: usize>(
        &self,
        _operands: [&Tensor<B, D>; 2],
        _means: Option<[&Tensor<B, D>; 2]>,
    ) -> Option<[Tensor<B, D>; 3]> {
        None
    }
}

#[cfg(feature = "wgpu")]
impl SgdStep {
    /// Returns the updated weight and momenta if the backend is wgpu. Operands are weight and gradient. There are no momenta
    /// before the first step.
    pub fn fused<B: Backend, const D: usize>(
        &self,
        operands: [&Tensor<B, D>; 2],
        momenta: Option<&Tensor<B, D>>,
    ) -> Option<[Tensor<B, D>; 2]> {
        let sgd = nin_gpu::Sgd {
            rate: self.rate as f32,
            momentum: self.momentum as f32,
            weight_decay: self.weight_decay as f32,
        };
        crate::gpu::sgd(&sgd, operands, momenta)
    }
}

#[cfg(feature = "wgpu")]
impl AdamWStep {
    /// Returns the updated weight and both averages if the backend is wgpu. Operands are weight and gradient. There are no
    /// averages before the first step.
    pub fn fused<B: Backend, const D: usize>(
        &self,
        operands: [&Tensor<B, D>; 2],
        means: Option<[&Tensor<B, D>; 2]>,
    ) -> Option<[Tensor<B, D>; 3]> {
        let ([beta_1, beta_2], [correction_1, correction_2]) = (self.betas, self.corrections);
        let adamw = nin_gpu::AdamW {
            rate: (self.rate / correction_1) as f32,
            beta_1: beta_1 as f32,
            beta_2: beta_2 as f32,
            complement_1: (1.0 - beta_1) as f32,
            complement_2: (1.0 - beta_2) as f32,
            epsilon: self.epsilon as f32,
            root_correction: correction_2.sqrt() as f32,
            decay: (1.0 - self.rate * self.weight_decay) as f32,
        };
        crate::gpu::adamw(&adamw, operands, means)
    }
}
