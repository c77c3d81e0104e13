//! `[training]`: length, batches, seed, and what to do when a training goes wrong.

use nin_model::Precision;
use serde::{Deserialize, Serialize};

use super::class_weights::ClassWeights;
use super::zero_is_none;

/// `[training]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingRecipe {
    /// Arithmetic of the step.
    pub precision: Precision,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images per step.
    pub batch_size: usize,
    /// Seed of initial weights, order, augmentation and dropout.
    pub seed: u64,
    /// Weight of each class in the training loss; reported losses are unweighted.
    pub class_weights: ClassWeights,
    /// Share of a target that is spread over all classes (Szegedy et al., arXiv:1512.00567, section 7).
    pub label_smoothing: f64,
    /// Evaluates and saves an exponential moving average of the weights with this decay per step.
    #[serde(with = "zero_is_none")]
    pub ema_decay: Option<f64>,
    /// Stops after this many epochs without a better checkpoint.
    #[serde(with = "zero_is_none")]
    pub early_stop_epochs: Option<usize>,
    /// What happens to a step whose loss or gradient is not finite.
    pub on_non_finite: OnNonFinite,
    /// What happens to a run that the sentinel gives up.
    pub on_collapse: OnCollapse,
}

/// What happens to a step whose loss or gradient is not finite; the weights stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnNonFinite {
    /// The training stops.
    #[default]
    Stop,
    /// The step is dropped; many in a row stop the training.
    Skip,
}

impl OnNonFinite {
    /// The name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Skip => "skip",
        }
    }
}

/// What happens to a run that the sentinel gives up: a dead network, or one that has been on a plateau at the loss
/// of a guess for two epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnCollapse {
    /// The training goes on with a warning.
    #[default]
    Warn,
    /// The state is saved and the training ends.
    Stop,
    /// The run restarts with another seed, drawn from its own; ten attempts at most.
    Restart,
}

impl OnCollapse {
    /// The name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

impl Default for TrainingRecipe {
    fn default() -> Self {
        Self {
            precision: Precision::Fp32,
            epochs: 10,
            batch_size: 128,
            seed: 42,
            class_weights: ClassWeights::None,
            label_smoothing: 0.0,
            ema_decay: None,
            early_stop_epochs: None,
            on_non_finite: OnNonFinite::Stop,
            on_collapse: OnCollapse::Warn,
        }
    }
}
