//! `[augmentation]`: random changes of training images.

use nin_data::{Augmentation, ColourJitter, Mixing};
use serde::{Deserialize, Serialize};

use super::zero_is_none;

/// `[augmentation]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentationRecipe {
    /// Mirrors every other image, left to right.
    pub flip: bool,
    /// Shifts an image by up to this many pixels along each axis: of the data set's images before the resize, of
    /// the input where pictures have sizes of their own.
    pub shift: usize,
    /// Probability that a rectangle is erased (arXiv:1708.04896).
    pub erase: f64,
    /// Takes a random part of each image, of at least this share of its area and of proportions from 3:4 to 4:3
    /// (torchvision's `RandomResizedCrop`).
    #[serde(with = "zero_is_none")]
    pub crop: Option<f64>,
    /// Rotates an image by up to this many degrees, either way (torchvision's `RandomRotation`).
    pub rotation: f64,
    /// Multiplies the brightness by up to this much more or less than 1 (torchvision's `ColorJitter`, like the
    /// next three keys).
    pub brightness: f64,
    /// Likewise the contrast.
    pub contrast: f64,
    /// Likewise the saturation.
    pub saturation: f64,
    /// Shifts the hue by up to this share of the colour circle, 0.5 at most.
    pub hue: f64,
    /// Mixes each image of a batch with another, value by value (arXiv:1710.09412): alpha of the ratio's
    /// Beta(alpha, alpha).
    #[serde(with = "zero_is_none")]
    pub mixup: Option<f64>,
    /// Pastes a box of another image into each image of a batch (arXiv:1905.04899): alpha likewise.
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
