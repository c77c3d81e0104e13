//! The preprocessing of one network: size, fit, normalization and whitening.

use serde::{Deserialize, Serialize};

use crate::{Fit, Normalization, Whitening};

/// How an image becomes the network's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// The input size `[height, width]`. Images are resized to it with PIL's bilinear filter.
    pub input_size: [usize; 2],
    /// How images of any size are fitted to the input size; `None` if the network was trained on images
    /// of a single size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// The normalization of values in `[0, 1]`.
    #[serde(default, skip_serializing_if = "Normalization::is_none")]
    pub normalization: Normalization,
    /// The whitening that follows the normalization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whitening: Option<Whitening>,
}

impl Preprocessing {
    /// Creates a preprocessing that only resizes to `[height, width]`; values stay in `[0, 1]`.
    pub fn resized(input_size: [usize; 2]) -> Self {
        Self { input_size, fit: None, normalization: Normalization::None, whitening: None }
    }

    /// Returns whether values stay in `[0, 1]`, with neither normalization nor whitening.
    pub fn is_plain(&self) -> bool {
        self.normalization.is_none() && self.whitening.is_none()
    }

    /// Returns whether an output value depends on other pixels of its image. If so, black pixels that
    /// augmentation adds at the border would change the whole image, so augmentation runs after this
    /// preprocessing and fills with 0.
    pub fn mixes_pixels(&self) -> bool {
        self.normalization.mixes_pixels() || self.whitening.is_some()
    }

    /// Fits row-major planes of `[height, width]` `size` to the input size. Stretches them if `fit` is
    /// `None`.
    ///
    /// # Panics
    /// Panics if a plane has fewer than `height * width` pixels.
    pub fn fitted(&self, planes: &[Vec<u8>], size: [usize; 2]) -> Vec<Vec<u8>> {
        self.fit.unwrap_or(Fit::Stretch).apply(planes, size, self.input_size)
    }

    /// Normalizes and whitens images in place. Each image is `length` values in `[0, 1]`, plane by plane.
    ///
    /// # Panics
    /// Panics if the whitening was fitted to images of another length.
    pub fn apply(&self, values: &mut [f32], length: usize) {
        self.normalization.apply(values, length);
        if let Some(whitening) = &self.whitening {
            whitening.apply(values);
        }
    }

    /// Returns what inputs of shape `[channels, height, width]` would need instead, if this preprocessing
    /// does not fit them.
    pub fn flaw(&self, [channels, height, width]: [usize; 3]) -> Option<String> {
        if !self.normalization.is_usable(channels) {
            let found = &self.normalization;
            return Some(format!("a normalization for {channels} channel(s), found {found:?}"));
        }
        let length = channels * height * width;
        let is_usable = self.whitening.as_ref()?.is_usable(length);
        (!is_usable).then(|| format!("a whitening of finite numbers for {length} values"))
    }
}
