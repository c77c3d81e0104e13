//! What a network says about pictures: class maps, logits and probabilities.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use nin_model::{HostTensor, ModelError};

/// The prediction for one picture.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Prediction {
    /// The logit of each class, the mean of its class map.
    pub logits: Vec<f32>,
    /// The softmax of the logits.
    pub probabilities: Vec<f64>,
    /// `[class, height, width]`, row-major; empty if maps are not kept.
    maps: Vec<f32>,
    /// `[height, width]` of each class map.
    map_size: [usize; 2],
}

impl Prediction {
    /// Reads class maps, `[batch, classes, height, width]`, from their device: one prediction for each image. Drops the maps
    /// unless `keeps_maps`, to save memory with many pictures.
    ///
    /// # Errors
    /// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if the class maps cannot be read from the device,
    /// [`ModelError::NonFiniteAnswers`] if a logit is not finite.
    pub fn of_maps<B: Backend>(
        maps: &Tensor<B, 4>,
        keeps_maps: bool,
    ) -> Result<Vec<Self>, ModelError> {
        let [_, classes, map_height, map_width] = maps.dims();
        let HostTensor { values, .. } = HostTensor::read("class maps", maps)?;
        let map_size = [map_height, map_width];
        let predictions: Vec<_> = values
            .chunks_exact(classes * map_height * map_width)
            .map(|maps| Self::new(maps, map_size, keeps_maps))
            .collect();
        let is_finite = |one: &&Self| one.logits.iter().all(|logit| logit.is_finite());
        let (images, finite) = (predictions.len(), predictions.iter().filter(is_finite).count());
        if finite < images {
            return Err(ModelError::NonFiniteAnswers { found: images - finite, images });
        }
        Ok(predictions)
    }

    fn new(maps: &[f32], map_size: [usize; 2], keeps_maps: bool) -> Self {
        let cells = map_size[0] * map_size[1];
        let mean = |map: &[f32]| map.iter().copied().map(f64::from).sum::<f64>() / cells as f64;
        let logits: Vec<f64> = maps.chunks_exact(cells).map(mean).collect();
        Self {
            probabilities: softmax(&logits),
            logits: logits.into_iter().map(|logit| logit as f32).collect(),
            maps: if keeps_maps { maps.to_vec() } else { Vec::new() },
            map_size,
        }
    }

    /// Returns up to `count` classes, by descending logit. Ties keep class order. A class is an index into
    /// the classes of the network.
    pub fn top(&self, count: usize) -> Vec<usize> {
        let mut classes: Vec<usize> = (0..self.logits.len()).collect();
        classes.sort_by(|&one, &other| self.logits[other].total_cmp(&self.logits[one]));
        classes.truncate(count);
        classes
    }

    /// Returns the rows of a class map, top to bottom; empty without maps.
    pub fn map(&self, class: usize) -> Vec<Vec<f32>> {
        self.cells(class).chunks_exact(self.map_size[1]).map(<[f32]>::to_vec).collect()
    }

    /// Returns `[height, width]` of each class map.
    pub fn map_size(&self) -> [usize; 2] {
        self.map_size
    }

    /// Returns the largest value of all class maps; 0 without maps.
    pub fn hottest(&self) -> f32 {
        self.maps.iter().copied().fold(0.0, f32::max)
    }

    /// Returns the largest value of a class map; 0 without maps.
    pub fn hottest_of(&self, class: usize) -> f32 {
        self.cells(class).iter().copied().fold(0.0, f32::max)
    }

    /// Returns a class map, row-major.
    fn cells(&self, class: usize) -> &[f32] {
        let length = self.map_size[0] * self.map_size[1];
        self.maps.get(class * length..(class + 1) * length).unwrap_or_default()
    }

    /// Returns the natural logarithm of a class's probability. It is finite even if the probability rounds to 0.
    ///
    /// # Panics
    /// Panics if there is no such class.
    pub fn log_probability(&self, class: usize) -> f64 {
        let logits = self.logits.iter().copied().map(f64::from);
        let largest = logits.clone().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.map(|logit| (logit - largest).exp()).sum();
        f64::from(self.logits[class]) - largest - sum.ln()
    }
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_are_the_means_of_the_maps() {
        let prediction = Prediction::new(&[0.0, 1.0, 2.0, 3.0, 5.0, 5.0, 5.0, 5.0], [2, 2], true);
        assert_eq!(prediction.logits, [1.5, 5.0]);
        assert_eq!(prediction.map(0), [[0.0, 1.0], [2.0, 3.0]]);
        assert_eq!((prediction.top(9), prediction.hottest()), (vec![1, 0], 5.0));
        let expected = 1.0 / (1.0 + (-3.5_f64).exp());
        assert!((prediction.probabilities[1] - expected).abs() < 1e-12);
    }

    #[test]
    fn of_equals_the_first_class_is_first() {
        assert_eq!(Prediction::new(&[1.0, 2.0, 2.0], [1, 1], false).top(2), [1, 2]);
    }

    #[test]
    fn without_maps_there_is_none_of_any_class() {
        let prediction = Prediction::new(&[1.0, 2.0, 3.0, 4.0], [1, 2], false);
        for class in [0, 1, 2] {
            assert!(prediction.map(class).is_empty());
            assert_eq!(prediction.hottest_of(class), 0.0);
        }
    }
}
