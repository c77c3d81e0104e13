//! `[preprocessing]`: normalization and whitening of the input.

use serde::{Deserialize, Serialize};

/// The section `[preprocessing]`. Statistics are fitted to the training images only, before augmentation, and are part
/// of each checkpoint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "PreprocessingKeys", into = "PreprocessingKeys")]
pub struct PreprocessingRecipe {
    /// Normalization of the pixel values, which are from 0 to 1.
    pub normalization: NormalizationRecipe,
    /// ZCA whitening after the normalization, for inputs of at most 4096 values (3x32x32 has 3072).
    pub whitening: Option<WhiteningRecipe>,
}

/// A normalization.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum NormalizationRecipe {
    /// Values stay from 0 to 1.
    #[default]
    None,
    /// Subtracts the training set's mean and divides by its standard deviation, per channel.
    Channels,
    /// Global contrast normalization: subtracts each image's mean and scales the image to a norm.
    Contrast {
        /// The Euclidean norm of each image; 55 in Goodfellow et al. (arXiv:1302.4389).
        scale: f64,
    },
    /// Uses the normalization and whitening of the checkpoint in `model.weights`, fitted to its own training images.
    Weights,
}

/// ZCA whitening.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WhiteningRecipe {
    /// Added to each eigenvalue of the covariance; 0.1 in Goodfellow et al. (arXiv:1302.4389).
    pub bias: f64,
}

impl Default for WhiteningRecipe {
    fn default() -> Self {
        Self { bias: 0.1 }
    }
}

impl PreprocessingRecipe {
    /// Returns whether the values stay from 0 to 1.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

const CONTRAST_SCALE: f64 = 55.0;

/// The keys of the section in a file. `contrast_scale` has no effect without contrast normalization, and
/// `whitening_bias` none without whitening.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PreprocessingKeys {
    normalization: NormalizationKey,
    contrast_scale: f64,
    whitening: bool,
    whitening_bias: f64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum NormalizationKey {
    None,
    Channels,
    Contrast,
    Weights,
}

impl Default for PreprocessingKeys {
    fn default() -> Self {
        PreprocessingRecipe::default().into()
    }
}

impl From<PreprocessingRecipe> for PreprocessingKeys {
    fn from(PreprocessingRecipe { normalization, whitening }: PreprocessingRecipe) -> Self {
        let (normalization, contrast_scale) = match normalization {
            NormalizationRecipe::None => (NormalizationKey::None, CONTRAST_SCALE),
            NormalizationRecipe::Channels => (NormalizationKey::Channels, CONTRAST_SCALE),
            NormalizationRecipe::Contrast { scale } => (NormalizationKey::Contrast, scale),
            NormalizationRecipe::Weights => (NormalizationKey::Weights, CONTRAST_SCALE),
        };
        Self {
            normalization,
            contrast_scale,
            whitening: whitening.is_some(),
            whitening_bias: whitening.unwrap_or_default().bias,
        }
    }
}

impl From<PreprocessingKeys> for PreprocessingRecipe {
    fn from(keys: PreprocessingKeys) -> Self {
        let normalization = match keys.normalization {
            NormalizationKey::None => NormalizationRecipe::None,
            NormalizationKey::Channels => NormalizationRecipe::Channels,
            NormalizationKey::Contrast => {
                NormalizationRecipe::Contrast { scale: keys.contrast_scale }
            }
            NormalizationKey::Weights => NormalizationRecipe::Weights,
        };
        let bias = keys.whitening_bias;
        Self { normalization, whitening: keys.whitening.then_some(WhiteningRecipe { bias }) }
    }
}
