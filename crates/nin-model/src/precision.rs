//! The arithmetic of a network's layers.

use serde::{Deserialize, Serialize};

/// What the layers compute in; `training.precision` in a recipe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats throughout.
    #[default]
    Fp32,
    /// Mixed: layers multiply bf16, rounded from fp32 as they are read; the 1x1 layers alone on AMD's CPUs with AVX-512
    /// BF16, all but strided inner ones on a CPU with AMX. Weights, sums, and activations between the layers stay fp32. Where
    /// nothing multiplies bf16, as [`Fp32`](Self::Fp32).
    Bf16,
}

impl Precision {
    /// The name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Bf16 => "bf16",
        }
    }

    /// Whether it is the one that goes without saying.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    pub(crate) fn is_fp32(&self) -> bool {
        *self == Self::Fp32
    }
}

#[cfg(feature = "kernels")]
impl From<Precision> for nin_kernels::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::Fp32 => Self::Fp32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}
