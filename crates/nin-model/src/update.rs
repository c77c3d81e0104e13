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
        let [correction_1, correction_2] = self.corrections;
        let adamw = nin_gpu::AdamW {
            rate: (self.rate / correction_1) as f32,
            betas: self.betas.map(|beta| beta as f32),
            complements: self.betas.map(|beta| (1.0 - beta) as f32),
            epsilon: self.epsilon as f32,
            root_correction: correction_2.sqrt() as f32,
            decay: (1.0 - self.rate * self.weight_decay) as f32,
        };
        crate::gpu::adamw(&adamw, operands, means)
    }
}
