//! What becomes of an image's values behind resize and scale: normalisation by the training set's
//! mean and deviation, global contrast normalisation, ZCA whitening.
//!
//! Everything is computed on the host, image for image, in a fixed order: the same bits whoever
//! prepares the batch.

use std::sync::Arc;

use crate::Whitening;

/// A norm below this counts as none: the image is flat (pylearn2's `min_divisor`).
const SMALLEST_NORM: f64 = 1e-8;

/// Steps on an image's values, first to last.
#[derive(Debug, Clone, Default)]
pub struct Transform {
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    Channels { mean: Vec<f32>, deviation: Vec<f32> },
    Contrast { scale: f32 },
    Whitening(Arc<Whitening>),
}

impl Transform {
    /// Values stay as they are.
    pub fn none() -> Self {
        Self::default()
    }

    /// Then each channel's mean is subtracted, and what is left divided by its deviation.
    #[must_use]
    pub fn then_channels(self, mean: Vec<f32>, deviation: Vec<f32>) -> Self {
        self.then(Step::Channels { mean, deviation })
    }

    /// Then the image's own mean is subtracted, and what is left scaled to this Euclidean norm: global
    /// contrast normalisation as Goodfellow et al. have it (arXiv:1302.4389, section 5.2; pylearn2's
    /// `GlobalContrastNormalization`, where `scale` is 55).
    #[must_use]
    pub fn then_contrast(self, scale: f32) -> Self {
        self.then(Step::Contrast { scale })
    }

    /// Then the image is whitened.
    #[must_use]
    pub fn then_whitening(self, whitening: Arc<Whitening>) -> Self {
        self.then(Step::Whitening(whitening))
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Whether values stay as they are.
    pub fn is_none(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether a value depends on other pixels of its image. Black that comes in from outside would
    /// then change the whole image: augmentation comes behind, and brings in 0.
    pub(crate) fn mixes_pixels(&self) -> bool {
        self.steps.iter().any(|step| !matches!(step, Step::Channels { .. }))
    }

    /// Transforms images of `length` values each, plane after plane, in place.
    ///
    /// # Panics
    /// Where a whitening is for images of another length.
    pub fn apply(&self, values: &mut [f32], length: usize) {
        for step in &self.steps {
            match step {
                Step::Channels { mean, deviation } => {
                    for image in values.chunks_exact_mut(length) {
                        let planes = image.chunks_exact_mut(length / mean.len().max(1));
                        for (plane, (mean, deviation)) in planes.zip(mean.iter().zip(deviation)) {
                            for value in plane {
                                *value = (*value - mean) / deviation;
                            }
                        }
                    }
                }
                Step::Contrast { scale } => {
                    for image in values.chunks_exact_mut(length) {
                        normalize_contrast(image, *scale);
                    }
                }
                Step::Whitening(whitening) => whitening.apply(values),
            }
        }
    }
}

/// pylearn2's `global_contrast_normalize` with its mean subtracted, the norm and no bias.
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

/// Mean and deviation of each channel over images of `channels` planes, which come in blocks: images
/// one after the other. A channel without any deviation has 1, so that it can be divided by.
pub fn channel_statistics(
    blocks: impl Iterator<Item = Vec<f32>>,
    channels: usize,
    plane: usize,
) -> (Vec<f32>, Vec<f32>) {
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
    sums.iter().map(of).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_have_mean_0_and_deviation_1() {
        // Two images of two planes of two values.
        let values = vec![1.0, 3.0, 7.0, 7.0, 5.0, 7.0, 7.0, 7.0];
        let blocks = || values.chunks(4).map(<[f32]>::to_vec);
        let (mean, deviation) = channel_statistics(blocks(), 2, 2);
        assert_eq!((&mean[..], &deviation[..]), (&[4.0, 7.0][..], &[5.0_f32.sqrt(), 1.0][..]));
        let mut normalized = values.clone();
        Transform::none().then_channels(mean, deviation).apply(&mut normalized, 4);
        let root = 5.0_f32.sqrt();
        assert_eq!(normalized[..4], [-3.0 / root, -1.0 / root, 0.0, 0.0]);
        assert_eq!(normalized[4..], [1.0 / root, 3.0 / root, 0.0, 0.0]);
    }

    #[test]
    fn contrast_has_mean_0_and_the_norm_asked_for_and_flat_images_are_0() {
        let mut values = vec![0.0, 1.0, 0.0, 3.0, 0.5, 0.5, 0.5, 0.5];
        Transform::none().then_contrast(55.0).apply(&mut values, 4);
        let norm: f32 = values[..4].iter().map(|value| value * value).sum::<f32>().sqrt();
        assert!((norm - 55.0).abs() < 1e-4 && values[..4].iter().sum::<f32>().abs() < 1e-4);
        assert_eq!(values[4..], [0.0; 4]);
    }
}
