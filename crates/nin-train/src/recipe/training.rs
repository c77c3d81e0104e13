//! `[training]`: epochs, batch size, seed, loss, and what to do when a training fails.

use nin_model::Precision;
use serde::{Deserialize, Serialize};

use super::class_weights::ClassWeights;
use super::zero_is_none;

/// The section `[training]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingRecipe {
    /// Arithmetic of the fused CPU kernels.
    pub precision: Precision,
    /// Number of passes over the training images.
    pub epochs: usize,
    /// Number of images per step.
    pub batch_size: usize,
    /// Number of parts of each batch whose gradients are computed one after the other; a power of two.
    pub micro_batches: usize,
    /// Seed of initial weights, data order, augmentation and dropout.
    pub seed: u64,
    /// Weight of each class in the training loss; reported losses are unweighted.
    pub class_weights: ClassWeights,
    /// Share of each target to spread over all classes (Szegedy et al., arXiv:1512.00567, section 7).
    pub label_smoothing: f64,
    /// Evaluates and saves an exponential moving average of the weights with this decay per step; `None` uses the
    /// weights themselves.
    #[serde(with = "zero_is_none")]
    pub ema_decay: Option<f64>,
    /// Stops after this many epochs without improvement; `None` never stops early.
    #[serde(with = "zero_is_none")]
    pub early_stop_epochs: Option<usize>,
    /// What to do with a step whose loss or gradient is not finite.
    pub on_non_finite: OnNonFinite,
    /// What to do with a run that the sentinel gives up.
    pub on_collapse: OnCollapse,
}

/// What to do with a step whose loss or gradient is not finite. Such a step never changes the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnNonFinite {
    /// Stop the training with an error.
    #[default]
    Stop,
    /// Skip the step. More than 100 skipped steps in a row stop the training.
    Skip,
}

impl OnNonFinite {
    /// Returns the name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Skip => "skip",
        }
    }
}

/// What to do with a run that the sentinel gives up: the network is dead, or its loss has been that of guessing for two
/// epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnCollapse {
    /// Warn and continue.
    #[default]
    Warn,
    /// Save the state and stop.
    Stop,
    /// Restart with another seed, derived from the recipe's. A run has ten attempts at most.
    Restart,
}

impl OnCollapse {
    /// Returns the name in a recipe.
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
            micro_batches: 1,
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
