//! All of it together.

use serde::{Deserialize, Serialize};

use crate::{Fit, Normalization, Whitening};

/// How an image becomes the network's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// `[height, width]` that images are resized to, with PIL's bilinear filter.
    pub input_size: [usize; 2],
    /// How pictures of any size are brought there; absent for networks that were trained on images of
    /// one size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// What becomes of values from 0 to 1.
    #[serde(default, skip_serializing_if = "Normalization::is_none")]
    pub normalization: Normalization,
    /// What becomes of them then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whitening: Option<Whitening>,
}

impl Preprocessing {
    /// Images resized to `[height, width]`, their values from 0 to 1.
    pub fn resized(input_size: [usize; 2]) -> Self {
        Self { input_size, fit: None, normalization: Normalization::None, whitening: None }
    }

    /// Whether values stay from 0 to 1.
    pub fn is_plain(&self) -> bool {
        self.normalization.is_none() && self.whitening.is_none()
    }

    /// Whether a value depends on other pixels of its image. Black that comes in from outside would
    /// then change the whole image: augmentation comes behind, and brings in 0.
    pub fn mixes_pixels(&self) -> bool {
        self.normalization.mixes_pixels() || self.whitening.is_some()
    }

    /// Returns planes of `[height, width]` `size`, each row after row, at the input's size. Without a `fit`
    /// they are stretched.
    ///
    /// # Panics
    /// Where a plane has fewer pixels than `size` says.
    pub fn fitted(&self, planes: &[Vec<u8>], size: [usize; 2]) -> Vec<Vec<u8>> {
        self.fit.unwrap_or(Fit::Stretch).apply(planes, size, self.input_size)
    }

    /// Normalises and whitens images of `length` values from 0 to 1 each, plane after plane, in place.
    ///
    /// # Panics
    /// Where a whitening is for images of another length.
    pub fn apply(&self, values: &mut [f32], length: usize) {
        self.normalization.apply(values, length);
        if let Some(whitening) = &self.whitening {
            whitening.apply(values);
        }
    }

    /// Returns what is wrong with it for inputs of this shape, if anything is.
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
