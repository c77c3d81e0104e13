//! `[preprocessing]`: what becomes of images' values before the network.

use serde::{Deserialize, Serialize};

/// `[preprocessing]`; all that is fitted is fitted to the training images alone, as they are before
/// augmentation, and stands in each checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreprocessingRecipe {
    /// What becomes of values from 0 to 1.
    pub normalization: NormalizationKind,
    /// `contrast`: the Euclidean norm of each image; 55 in Goodfellow et al. (arXiv:1302.4389).
    pub contrast_scale: f64,
    /// Whether ZCA whitening follows, for inputs of at most 4096 values (3x32x32 are 3072).
    pub whitening: bool,
    /// Added to each eigenvalue of the covariance; 0.1 in Goodfellow et al.
    pub whitening_bias: f64,
}

/// The normalisations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NormalizationKind {
    /// Values stay from 0 to 1.
    #[default]
    None,
    /// Less the training set's mean, divided by its deviation, of each channel.
    Channels,
    /// Global contrast normalisation: less the image's own mean, scaled to `contrast_scale`.
    Contrast,
    /// What the checkpoint of `model.weights` does, with the values fitted to its own training images;
    /// its whitening, too.
    Weights,
}

impl Default for PreprocessingRecipe {
    fn default() -> Self {
        Self {
            normalization: NormalizationKind::None,
            contrast_scale: 55.0,
            whitening: false,
            whitening_bias: 0.1,
        }
    }
}

impl PreprocessingRecipe {
    /// Whether values stay from 0 to 1.
    pub fn is_none(&self) -> bool {
        self.normalization == NormalizationKind::None && !self.whitening
    }
}
