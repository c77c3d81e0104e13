//! `[schedule]`: the learning-rate schedule.

use serde::{Deserialize, Serialize};

/// The section `[schedule]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "ScheduleKeys", into = "ScheduleKeys")]
pub struct ScheduleRecipe {
    /// The shape after the warm-up.
    pub kind: ScheduleKind,
    /// Number of steps over which the learning rate rises linearly to its base value.
    pub warmup_steps: usize,
}

/// The shape of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum ScheduleKind {
    /// A constant rate.
    #[default]
    Constant,
    /// Multiplies the rate by a factor every few epochs.
    Step {
        /// Number of epochs between drops, 1 or more.
        epochs: usize,
        /// The factor.
        factor: f64,
    },
    /// A half cosine over the whole training (Loshchilov and Hutter, arXiv:1608.03983, without restarts).
    Cosine {
        /// The rate at the end, as a share of the base rate.
        final_factor: f64,
    },
}

const STEP_EPOCHS: usize = 5;
const STEP_FACTOR: f64 = 0.1;
const FINAL_FACTOR: f64 = 0.0;

impl ScheduleKind {
    /// Multiplies the rate by 0.1 every five epochs.
    pub const STEP: Self = Self::Step { epochs: STEP_EPOCHS, factor: STEP_FACTOR };

    /// A half cosine down to 0.
    pub const COSINE: Self = Self::Cosine { final_factor: FINAL_FACTOR };
}

/// The keys of the section in a file. Keys of shapes other than `kind` have no effect.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ScheduleKeys {
    kind: KindKey,
    warmup_steps: usize,
    step_epochs: usize,
    step_factor: f64,
    final_factor: f64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindKey {
    Constant,
    Step,
    Cosine,
}

impl Default for ScheduleKeys {
    fn default() -> Self {
        ScheduleRecipe::default().into()
    }
}

impl From<ScheduleRecipe> for ScheduleKeys {
    fn from(ScheduleRecipe { kind, warmup_steps }: ScheduleRecipe) -> Self {
        let keys = Self {
            kind: KindKey::Constant,
            warmup_steps,
            step_epochs: STEP_EPOCHS,
            step_factor: STEP_FACTOR,
            final_factor: FINAL_FACTOR,
        };
        match kind {
            ScheduleKind::Constant => keys,
            ScheduleKind::Step { epochs, factor } => {
                Self { kind: KindKey::Step, step_epochs: epochs, step_factor: factor, ..keys }
            }
            ScheduleKind::Cosine { final_factor } => {
                Self { kind: KindKey::Cosine, final_factor, ..keys }
            }
        }
    }
}

impl From<ScheduleKeys> for ScheduleRecipe {
    fn from(keys: ScheduleKeys) -> Self {
        let ScheduleKeys { warmup_steps, step_epochs, step_factor, final_factor, .. } = keys;
        let kind = match keys.kind {
            KindKey::Constant => ScheduleKind::Constant,
            KindKey::Step => ScheduleKind::Step { epochs: step_epochs, factor: step_factor },
            KindKey::Cosine => ScheduleKind::Cosine { final_factor },
        };
        Self { kind, warmup_steps }
    }
}
