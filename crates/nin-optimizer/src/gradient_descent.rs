//! SGD with momentum, `AdamW` and Muon, as PyTorch defines them.
//!
//! One type implements all of them, so that there is one learner type. Its state is accessible, so that a checkpoint can store
//! it by parameter name; the states of burn-optim's optimizers are private.

use burn::optim::{LearningRate, SimpleOptimizer};
use burn::record::Record;
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor};
use nin_model::{AdamWStep, SgdStep};

use crate::orthogonal::orthogonalize;
use crate::{OptimizerKind, OptimizerRecipe};

/// The root mean square of Muon's step at a rate of 1, about that of `AdamW` (Liu et al., arXiv:2502.16982, section 2.2).
const STEP_RMS: f64 = 0.2;

/// A first-order optimizer: SGD (with momentum and weight decay, dampening 0), `AdamW` or Muon.
#[derive(Debug, Clone)]
pub struct GradientDescent {
    recipe: OptimizerRecipe,
}

/// The optimizer state of one parameter.
#[derive(Record, Clone, Debug)]
pub struct ParameterState<B: Backend, const D: usize> {
    /// SGD: the momentum buffer. `AdamW` and Muon: the moving average of the gradient.
    pub first: Option<Tensor<B, D>>,
    /// `AdamW`, and Muon for biases: the moving average of the squared gradient.
    pub second: Option<Tensor<B, D>>,
    /// Number of steps taken.
    pub steps: usize,
    /// Factor on the learning rate. It is part of the state because Burn passes an optimizer nothing else that
    /// identifies the parameter.
    pub rate_factor: f64,
}

impl<B: Backend, const D: usize> ParameterState<B, D> {
    /// Returns the state before the first step.
    pub fn initial(rate_factor: f64) -> Self {
        Self { first: None, second: None, steps: 0, rate_factor }
    }
}

impl OptimizerRecipe {
    /// Returns the factor on the learning rate of a parameter, by its name, in a network of this many blocks. The bias
    /// of the last layer gets the product of both factors.
    pub fn rate_factor(&self, name: &str, blocks: usize) -> f64 {
        let last_layer = format!("blocks.{}.cccp2.", blocks.saturating_sub(1));
        let is_last = name.contains(&last_layer);
        let layer = if is_last { self.last_layer_rate } else { 1.0 };
        let is_bias = name.rsplit('.').next() == Some("bias");
        if is_bias { layer * self.bias_rate } else { layer }
    }
}

impl GradientDescent {
    /// Creates the optimizer of a recipe.
    pub fn new(recipe: &OptimizerRecipe) -> Self {
        Self { recipe: recipe.clone() }
    }

    /// Returns the weight decay of a parameter with this many dimensions; biases have one.
    fn weight_decay(&self, dimensions: usize) -> f64 {
        let OptimizerRecipe { weight_decay, decay_biases, .. } = self.recipe;
        if dimensions > 1 || decay_biases { weight_decay } else { 0.0 }
    }

    /// Returns a weight after decoupled weight decay.
    fn decayed<B: Backend, const D: usize>(&self, weight: Tensor<B, D>, rate: f64) -> Tensor<B, D> {
        let weight_decay = self.weight_decay(D);
        if weight_decay > 0.0 { weight.mul_scalar(1.0 - rate * weight_decay) } else { weight }
    }

    /// Takes a step like `torch.optim.SGD`. The first momentum buffer is the first gradient, including weight decay.
    fn sgd<B: Backend, const D: usize>(
        &self,
        momentum: f64,
        rate: f64,
        (weight, gradient): (Tensor<B, D>, Tensor<B, D>),
        mut state: ParameterState<B, D>,
    ) -> (Tensor<B, D>, ParameterState<B, D>) {
        let weight_decay = self.weight_decay(D);
        let fused = SgdStep { rate, momentum, weight_decay };
        if let Some([weight, momenta]) = fused.fused([&weight, &gradient], state.first.as_ref()) {
            state.first = (momentum > 0.0).then_some(momenta);
            return (weight, state);
        }
        let mut step = gradient;
        if weight_decay > 0.0 {
            step = step + weight.clone().mul_scalar(weight_decay);
        }
        if momentum > 0.0 {
            step = match state.first.take() {
                Some(buffer) => buffer.mul_scalar(momentum) + step,
                None => step,
            };
            state.first = Some(step.clone());
        }
        (weight - step.mul_scalar(rate), state)
    }

    /// Takes a step like `torch.optim.AdamW`, with bias correction.
    fn adamw<B: Backend, const D: usize>(
        &self,
        [beta_1, beta_2, epsilon]: [f64; 3],
        rate: f64,
        (weight, gradient): (Tensor<B, D>, Tensor<B, D>),
        mut state: ParameterState<B, D>,
    ) -> (Tensor<B, D>, ParameterState<B, D>) {
        let weight_decay = self.weight_decay(D);
        let steps = i32::try_from(state.steps).unwrap_or(i32::MAX);
        let correction_1 = 1.0 - beta_1.powi(steps);
        let correction_2 = 1.0 - beta_2.powi(steps);
        let (betas, corrections) = ([beta_1, beta_2], [correction_1, correction_2]);
        let fused = AdamWStep { rate, betas, epsilon, corrections, weight_decay };
        let means = state.first.as_ref().zip(state.second.as_ref()).map(|(a, b)| [a, b]);
        if let Some([weight, first, second]) = fused.fused([&weight, &gradient], means) {
            (state.first, state.second) = (Some(first), Some(second));
            return (weight, state);
        }

        let mean = |old: Option<Tensor<B, D>>, new: Tensor<B, D>, beta: f64| {
            let new = new.mul_scalar(1.0 - beta);
            old.map_or_else(|| new.clone(), |old| old.mul_scalar(beta) + new.clone())
        };
        let first = mean(state.first.take(), gradient.clone(), beta_1);
        let second = mean(state.second.take(), gradient.clone() * gradient, beta_2);

        let root = second.clone().sqrt().div_scalar(correction_2.sqrt()).add_scalar(epsilon);
        let step = first.clone().div(root).mul_scalar(rate / correction_1);

        state.first = Some(first);
        state.second = Some(second);
        (self.decayed(weight, rate) - step, state)
    }

    /// Takes a step like `torch.optim.Muon` with Nesterov's momentum and `adjust_lr_fn="match_rms_adamw"`: its root mean square is
    /// about that of a step of `AdamW` at the same rate. The kernel, `[output channels, input channels, height, width]`, is
    /// flattened to a matrix with a row per output channel.
    fn muon<B: Backend, const D: usize>(
        &self,
        momentum: f64,
        rate: f64,
        (weight, gradient): (Tensor<B, D>, Tensor<B, D>),
        mut state: ParameterState<B, D>,
    ) -> (Tensor<B, D>, ParameterState<B, D>) {
        let new = gradient.mul_scalar(1.0 - momentum);
        let mean = match state.first.take() {
            Some(mean) => mean.mul_scalar(momentum) + new.clone(),
            None => new.clone(),
        };
        let matrix: Tensor<B, 2> = (mean.clone().mul_scalar(momentum) + new).flatten(1, D - 1);
        state.first = Some(mean);

        let [rows, columns] = matrix.dims();
        let scale = STEP_RMS * (rows.max(columns) as f64).sqrt();
        let step = orthogonalize(matrix).mul_scalar(scale * rate).reshape(weight.shape());
        (self.decayed(weight, rate) - step, state)
    }
}

impl<B: Backend> SimpleOptimizer<B> for GradientDescent {
    type State<const D: usize> = ParameterState<B, D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weight: Tensor<B, D>,
        gradient: Tensor<B, D>,
        state: Option<ParameterState<B, D>>,
    ) -> (Tensor<B, D>, Option<ParameterState<B, D>>) {
        let mut state = state.unwrap_or_else(|| ParameterState::initial(1.0));
        state.steps += 1;
        let rate = rate * state.rate_factor;
        let (weight, state) = match self.recipe.kind {
            OptimizerKind::Sgd { momentum } => self.sgd(momentum, rate, (weight, gradient), state),
            OptimizerKind::Muon { momentum, .. } if D > 1 => {
                self.muon(momentum, rate, (weight, gradient), state)
            }
            OptimizerKind::AdamW { beta_1, beta_2, epsilon }
            | OptimizerKind::Muon { beta_1, beta_2, epsilon, .. } => {
                let values = [beta_1, beta_2, epsilon];
                self.adamw(values, rate, (weight, gradient), state)
            }
        };
        (weight, Some(state))
    }

    fn to_device<const D: usize>(
        state: ParameterState<B, D>,
        device: &Device<B>,
    ) -> ParameterState<B, D> {
        ParameterState {
            first: state.first.map(|tensor| tensor.to_device(device)),
            second: state.second.map(|tensor| tensor.to_device(device)),
            steps: state.steps,
            rate_factor: state.rate_factor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_layer_and_biases_have_rates_of_their_own() {
        let recipe =
            OptimizerRecipe { last_layer_rate: 0.1, bias_rate: 2.0, ..OptimizerRecipe::default() };
        let factor = |name: &str| recipe.rate_factor(&format!("network.{name}"), 3);
        assert_eq!(factor("blocks.2.cccp2.weight"), 0.1);
        assert_eq!(factor("blocks.2.cccp2.bias"), 0.2);
        assert_eq!(factor("blocks.2.cccp1.weight"), 1.0);
        assert_eq!(factor("blocks.1.cccp2.bias"), 2.0);
        assert_eq!(recipe.rate_factor("blocks.12.cccp2.weight", 3), 1.0);
    }
}
