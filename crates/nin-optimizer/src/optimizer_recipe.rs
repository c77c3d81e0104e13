//! `[optimizer]`: the optimizer and its learning rates.

use serde::{Deserialize, Serialize};

/// The section `[optimizer]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "OptimizerKeys", into = "OptimizerKeys")]
pub struct OptimizerRecipe {
    /// The optimizer, with its own parameters.
    pub kind: OptimizerKind,
    /// The base learning rate, which the schedule multiplies.
    pub learning_rate: f64,
    /// Weight decay. SGD adds it, times the weight, to the gradient; `AdamW` and Muon decouple it.
    pub weight_decay: f64,
    /// Whether weight decay applies to biases too, as in PyTorch.
    pub decay_biases: bool,
    /// Factor on the learning rate of the last 1x1 layer; 0.1 in the paper's files.
    pub last_layer_rate: f64,
    /// Factor on the learning rate of biases, including the last layer's; 2 in the paper's files.
    pub bias_rate: f64,
    /// Clips the global norm of the gradients to this value (arXiv:1211.5063); `None` does not clip.
    pub clip_norm: Option<f64>,
}

/// An optimizer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum OptimizerKind {
    /// Stochastic gradient descent.
    Sgd {
        /// Momentum, without dampening, as is PyTorch's default.
        momentum: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101).
    AdamW {
        /// Decay rate of the first moment.
        beta_1: f64,
        /// Decay rate of the second moment.
        beta_2: f64,
        /// Added to the square root of the second moment.
        epsilon: f64,
    },
    /// Muon (Jordan et al., 2024, <https://kellerjordan.github.io/posts/muon>): the momentum of each convolution's kernel is
    /// replaced by a matrix with nearly equal singular values. Biases take steps of `AdamW`.
    Muon {
        /// Nesterov's momentum, 0.95 by default in PyTorch.
        momentum: f64,
        /// `AdamW`'s decay rate of the first moment.
        beta_1: f64,
        /// `AdamW`'s decay rate of the second moment.
        beta_2: f64,
        /// `AdamW`'s epsilon.
        epsilon: f64,
    },
}

const NO_MOMENTUM: f64 = 0.0;

/// PyTorch's betas and epsilon.
const ADAMW_DEFAULTS: [f64; 3] = [0.9, 0.999, 1e-8];

/// PyTorch's momentum of Muon.
const MUON_MOMENTUM: f64 = 0.95;

impl OptimizerKind {
    /// SGD without momentum.
    pub const SGD: Self = Self::Sgd { momentum: NO_MOMENTUM };

    /// `AdamW` with PyTorch's default betas and epsilon.
    pub const ADAMW: Self = {
        let [beta_1, beta_2, epsilon] = ADAMW_DEFAULTS;
        Self::AdamW { beta_1, beta_2, epsilon }
    };

    /// Muon with PyTorch's default momentum, and the defaults of `AdamW` for biases.
    pub const MUON: Self = {
        let [beta_1, beta_2, epsilon] = ADAMW_DEFAULTS;
        Self::Muon { momentum: MUON_MOMENTUM, beta_1, beta_2, epsilon }
    };
}

impl Default for OptimizerRecipe {
    /// The book's plain SGD at 0.1.
    fn default() -> Self {
        Self {
            kind: OptimizerKind::SGD,
            learning_rate: 0.1,
            weight_decay: 0.0,
            decay_biases: true,
            last_layer_rate: 1.0,
            bias_rate: 1.0,
            clip_norm: None,
        }
    }
}

/// The keys of the section in a file. Keys of optimizers other than `kind` have no effect.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OptimizerKeys {
    kind: KindKey,
    learning_rate: f64,
    /// `None` is the default of the optimizer.
    #[serde(default)]
    momentum: Option<f64>,
    weight_decay: f64,
    decay_biases: bool,
    last_layer_rate: f64,
    bias_rate: f64,
    clip_norm: f64,
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindKey {
    Sgd,
    AdamW,
    Muon,
}

impl Default for OptimizerKeys {
    fn default() -> Self {
        OptimizerRecipe::default().into()
    }
}

impl From<OptimizerRecipe> for OptimizerKeys {
    fn from(recipe: OptimizerRecipe) -> Self {
        let (kind, momentum, [beta_1, beta_2, epsilon]) = match recipe.kind {
            OptimizerKind::Sgd { momentum } => (KindKey::Sgd, momentum, ADAMW_DEFAULTS),
            OptimizerKind::AdamW { beta_1, beta_2, epsilon } => {
                (KindKey::AdamW, NO_MOMENTUM, [beta_1, beta_2, epsilon])
            }
            OptimizerKind::Muon { momentum, beta_1, beta_2, epsilon } => {
                (KindKey::Muon, momentum, [beta_1, beta_2, epsilon])
            }
        };
        Self {
            kind,
            learning_rate: recipe.learning_rate,
            momentum: Some(momentum),
            weight_decay: recipe.weight_decay,
            decay_biases: recipe.decay_biases,
            last_layer_rate: recipe.last_layer_rate,
            bias_rate: recipe.bias_rate,
            clip_norm: recipe.clip_norm.unwrap_or(0.0),
            beta_1,
            beta_2,
            epsilon,
        }
    }
}

impl From<OptimizerKeys> for OptimizerRecipe {
    fn from(keys: OptimizerKeys) -> Self {
        let OptimizerKeys { momentum, beta_1, beta_2, epsilon, .. } = keys;
        Self {
            kind: match keys.kind {
                KindKey::Sgd => OptimizerKind::Sgd { momentum: momentum.unwrap_or(NO_MOMENTUM) },
                KindKey::AdamW => OptimizerKind::AdamW { beta_1, beta_2, epsilon },
                KindKey::Muon => {
                    let momentum = momentum.unwrap_or(MUON_MOMENTUM);
                    OptimizerKind::Muon { momentum, beta_1, beta_2, epsilon }
                }
            },
            learning_rate: keys.learning_rate,
            weight_decay: keys.weight_decay,
            decay_biases: keys.decay_biases,
            last_layer_rate: keys.last_layer_rate,
            bias_rate: keys.bias_rate,
            clip_norm: (keys.clip_norm != 0.0).then_some(keys.clip_norm),
        }
    }
}
