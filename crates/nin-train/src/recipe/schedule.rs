//! `[schedule]`: the learning rate over the steps.

use serde::{Deserialize, Serialize};

/// `[schedule]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "ScheduleKeys", into = "ScheduleKeys")]
pub struct ScheduleRecipe {
    /// The curve after the warm-up.
    pub kind: ScheduleKind,
    /// Steps over which the rate rises linearly to its full height.
    pub warmup_steps: usize,
}

/// The curve of a learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum ScheduleKind {
    /// The same rate throughout.
    #[default]
    Constant,
    /// Multiplied by a factor every few epochs.
    Step {
        /// Epochs between two drops, 1 or more.
        epochs: usize,
        /// Multiplies the rate at each drop.
        factor: f64,
    },
    /// Half a cosine over the whole training (Loshchilov and Hutter, arXiv:1608.03983, without restarts).
    Cosine {
        /// The share of the full rate that is left at the end.
        final_factor: f64,
    },
}

const STEP_EPOCHS: usize = 5;
const STEP_FACTOR: f64 = 0.1;
const FINAL_FACTOR: f64 = 0.0;

impl ScheduleKind {
    /// A tenth of the rate every five epochs.
    pub const STEP: Self = Self::Step { epochs: STEP_EPOCHS, factor: STEP_FACTOR };

    /// Half a cosine down to 0.
    pub const COSINE: Self = Self::Cosine { final_factor: FINAL_FACTOR };
}

/// The keys in a file. Those of another curve than `kind` have no effect.
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
