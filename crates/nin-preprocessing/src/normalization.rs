//! Normalization: by the channel statistics of the training set, or by the contrast of each image.

use serde::{Deserialize, Serialize};

/// An image with a norm below this is flat and is not scaled (pylearn2's `min_divisor`).
const SMALLEST_NORM: f64 = 1e-8;

/// How the values of an image, in `[0, 1]`, are normalized.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Normalization {
    /// Values stay as they are.
    #[default]
    None,
    /// Subtracts the mean of the training set and divides by its standard deviation, per channel.
    Channels {
        /// One mean per channel.
        mean: Vec<f32>,
        /// One standard deviation per channel, each above 0.
        deviation: Vec<f32>,
    },
    /// Global contrast normalization: subtracts the mean of the image and scales it to a Euclidean norm
    /// (Goodfellow et al., arXiv:1302.4389, section 5.2; pylearn2's `GlobalContrastNormalization` with a
    /// `scale` of 55).
    Contrast {
        /// The Euclidean norm of every image; above 0.
        scale: f32,
    },
}

impl Normalization {
    /// Fits the mean and standard deviation of each channel. A block holds consecutive images of `channels`
    /// planes with `plane` values each. A constant channel gets a deviation of 1.
    ///
    /// # Panics
    /// Panics if `channels` or `plane` is 0 and there is a block.
    pub fn fit_channels(
        blocks: impl Iterator<Item = Vec<f32>>,
        channels: usize,
        plane: usize,
    ) -> Self {
        let mut sums = vec![[0.0_f64; 2]; channels];
        let mut count = 0.0_f64;
        for block in blocks {
            for image in block.chunks_exact(channels * plane) {
                count += plane as f64;
                for (plane, [sum, squares]) in image.chunks_exact(plane).zip(&mut sums) {
                    let values = || plane.iter().copied().map(f64::from);
                    *sum += values().sum::<f64>();
                    *squares += values().map(|value| value * value).sum::<f64>();
                }
            }
        }
        let of = |[sum, squares]: &[f64; 2]| {
            let mean = sum / count.max(1.0);
            let deviation = (squares / count.max(1.0) - mean * mean).max(0.0).sqrt() as f32;
            (mean as f32, if deviation > 0.0 { deviation } else { 1.0 })
        };
        let (mean, deviation) = sums.iter().map(of).unzip();
        Self::Channels { mean, deviation }
    }

    /// Returns whether values stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    pub(crate) fn mixes_pixels(&self) -> bool {
        matches!(self, Self::Contrast { .. })
    }

    /// Returns whether the parameters are finite and match this number of channels.
    pub(crate) fn is_usable(&self, channels: usize) -> bool {
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        let above = |values: &[f32]| finite(values) && values.iter().all(|value| *value > 0.0);
        match self {
            Self::None => true,
            Self::Channels { mean, deviation } => {
                let lengths = [mean.len(), deviation.len()];
                lengths == [channels; 2] && finite(mean) && above(deviation)
            }
            Self::Contrast { scale } => above(&[*scale]),
        }
    }

    /// Normalizes images in place. Each image is `length` values, plane by plane.
    ///
    /// # Panics
    /// Panics if `length` is 0, or smaller than the number of channels.
    pub fn apply(&self, values: &mut [f32], length: usize) {
        match self {
            Self::None => {}
            Self::Channels { mean, deviation } => {
                for image in values.chunks_exact_mut(length) {
                    let planes = image.chunks_exact_mut(length / mean.len().max(1));
                    for (plane, (mean, deviation)) in planes.zip(mean.iter().zip(deviation)) {
                        for value in plane {
                            *value = (*value - mean) / deviation;
                        }
                    }
                }
            }
            Self::Contrast { scale } => {
                for image in values.chunks_exact_mut(length) {
                    normalize_contrast(image, *scale);
                }
            }
        }
    }
}

/// Matches pylearn2's `global_contrast_normalize` with `subtract_mean=True`, `use_std=False` and no bias.
fn normalize_contrast(image: &mut [f32], scale: f32) {
    let sum: f64 = image.iter().copied().map(f64::from).sum();
    let mean = sum / image.len() as f64;
    let centred = |value: f32| f64::from(value) - mean;
    let square: f64 = image.iter().map(|&value| centred(value).powi(2)).sum();
    let norm = square.sqrt() / f64::from(scale);
    let norm = if norm < SMALLEST_NORM { 1.0 } else { norm };
    for value in image {
        *value = (centred(*value) / norm) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_have_mean_0_and_deviation_1() {
        // Two images with two planes of two values each.
        let values = vec![1.0, 3.0, 7.0, 7.0, 5.0, 7.0, 7.0, 7.0];
        let blocks = || values.chunks(4).map(<[f32]>::to_vec);
        let root = 5.0_f32.sqrt();
        let fitted = Normalization::fit_channels(blocks(), 2, 2);
        let (mean, deviation) = (vec![4.0, 7.0], vec![root, 1.0]);
        assert_eq!(fitted, Normalization::Channels { mean, deviation });
        let mut normalized = values.clone();
        fitted.apply(&mut normalized, 4);
        assert_eq!(normalized[..4], [-3.0 / root, -1.0 / root, 0.0, 0.0]);
        assert_eq!(normalized[4..], [1.0 / root, 3.0 / root, 0.0, 0.0]);
    }

    #[test]
    fn contrast_gives_mean_0_and_the_requested_norm_and_zeroes_flat_images() {
        let mut values = vec![0.0, 1.0, 0.0, 3.0, 0.5, 0.5, 0.5, 0.5];
        Normalization::Contrast { scale: 55.0 }.apply(&mut values, 4);
        let norm: f32 = values[..4].iter().map(|value| value * value).sum::<f32>().sqrt();
        assert!((norm - 55.0).abs() < 1e-4 && values[..4].iter().sum::<f32>().abs() < 1e-4);
        assert_eq!(values[4..], [0.0; 4]);
    }
}
