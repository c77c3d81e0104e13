//! `[augmentation]`: random changes to training images.

use nin_data::{Augmentation, ColourJitter, Mixing};
use serde::{Deserialize, Serialize};

use super::zero_is_none;

/// The section `[augmentation]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentationRecipe {
    /// Flips each image horizontally with probability 0.5.
    pub flip: bool,
    /// Shifts each image by up to this many pixels along each axis. The pixels are those of the data set's images,
    /// before the resize; for pictures of different sizes, those of the input.
    pub shift: usize,
    /// Probability of erasing a random rectangle (arXiv:1708.04896).
    pub erase: f64,
    /// Crops a random part of each image with at least this share of its area and an aspect ratio from 3:4 to 4:3
    /// (torchvision's `RandomResizedCrop`).
    #[serde(with = "zero_is_none")]
    pub crop: Option<f64>,
    /// Rotates each image by up to this many degrees in either direction (torchvision's `RandomRotation`).
    pub rotation: f64,
    /// Multiplies the brightness by a random factor within this distance of 1 (torchvision's `ColorJitter`, like the
    /// next three keys).
    pub brightness: f64,
    /// Multiplies the contrast, likewise.
    pub contrast: f64,
    /// Multiplies the saturation, likewise.
    pub saturation: f64,
    /// Shifts the hue by up to this share of the colour wheel, 0.5 at most.
    pub hue: f64,
    /// Mixup (arXiv:1710.09412): blends each image of a batch with another one. The value is alpha; the ratio is drawn
    /// from Beta(alpha, alpha).
    #[serde(with = "zero_is_none")]
    pub mixup: Option<f64>,
    /// `CutMix` (arXiv:1905.04899): pastes a box of another image into each image of a batch. The value is alpha,
    /// likewise.
    #[serde(with = "zero_is_none")]
    pub cutmix: Option<f64>,
}

impl AugmentationRecipe {
    /// Returns how each training image is augmented.
    pub fn augmentation(&self) -> Augmentation {
        let Self {
            flip, shift, erase, crop, rotation, brightness, contrast, saturation, hue, ..
        } = *self;
        let colour = ColourJitter { brightness, contrast, saturation, hue };
        Augmentation { flip, shift, erase, crop, rotation, colour }
    }

    /// Returns how the images of a training batch are mixed.
    pub fn mixing(&self) -> Mixing {
        let Self { mixup, cutmix, .. } = *self;
        Mixing { mixup: mixup.unwrap_or(0.0), cutmix: cutmix.unwrap_or(0.0) }
    }
}
