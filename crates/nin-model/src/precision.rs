//! The precision of the layers of a network.

use serde::{Deserialize, Serialize};

/// The precision of the layers: `training.precision` in a recipe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats throughout.
    #[default]
    Fp32,
    /// Mixed precision: layers multiply bf16, rounded from fp32. Weights, sums, and activations between blocks
    /// stay fp32. On AMD CPUs with AVX-512 BF16 this applies to all but strided, 3x3 and 5x5 layers, on CPUs with AMX to all but strided inner
    /// layers. Everywhere else it is the same as [`Fp32`](Self::Fp32).
    Bf16,
    /// Mixed precision on a GPU: layers multiply 16-bit floats, and store what lies between the layers of a block in them. Weights,
    /// sums, and what lies between blocks stay fp32. Where the backend is wgpu and the adapter has 16-bit floats; everywhere else
    /// it is the same as [`Fp32`](Self::Fp32), and [`check_precision`](crate::check_precision) refuses to train.
    F16,
}

impl Precision {
    /// Returns the name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        }
    }

    /// Returns whether this is the default, which is not written.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    pub(crate) fn is_fp32(&self) -> bool {
        *self == Self::Fp32
    }
}

#[cfg(any(feature = "flex", feature = "ndarray"))]
impl From<Precision> for nin_kernels::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::Fp32 | Precision::F16 => Self::Fp32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}
