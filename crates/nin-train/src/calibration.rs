//! Whether a network is right as often as it is sure (Guo et al., arXiv:1706.04599).

use serde::{Deserialize, Serialize};

/// The answers to images, in bins of equal width by the probability of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Calibration {
    bins: [CalibrationBin; Calibration::BINS],
}

/// Images whose answers have similar probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CalibrationBin {
    /// Number of images.
    pub images: usize,
    /// Number of right answers.
    pub right: usize,
    /// Sum of the probabilities of the answers.
    pub probability_sum: f64,
}

impl Calibration {
    /// Number of bins.
    pub const BINS: usize = 10;

    /// Adds an answer with its probability, from 0 to 1.
    ///
    /// ```
    /// use nin_train::Calibration;
    ///
    /// let mut calibration = Calibration::default();
    /// calibration.add(0.9, true);
    /// calibration.add(0.9, false);
    /// assert!((calibration.expected_error().unwrap() - 0.4).abs() < 1e-12);
    /// ```
    pub fn add(&mut self, probability: f64, is_right: bool) {
        let at = ((probability * Self::BINS as f64) as usize).min(Self::BINS - 1);
        self.bins[at].merge(CalibrationBin {
            images: 1,
            right: usize::from(is_right),
            probability_sum: probability,
        });
    }

    /// Adds the answers to other images.
    pub fn merge(&mut self, other: &Self) {
        for (bin, other) in self.bins.iter_mut().zip(other.bins) {
            bin.merge(other);
        }
    }

    /// Returns the bins: the first has probabilities below 0.1, the last those from 0.9.
    pub fn bins(&self) -> &[CalibrationBin; Self::BINS] {
        &self.bins
    }

    /// Returns the expected calibration error, the mean gap between probability and accuracy over the images; `None`
    /// without images.
    pub fn expected_error(&self) -> Option<f64> {
        let gaps = self.bins.iter().map(|bin| (bin.probability_sum - bin.right as f64).abs());
        self.mean(gaps.sum())
    }

    /// Returns the mean probability of the answers; `None` without images. A network is overconfident if it is above
    /// the accuracy.
    pub fn mean_probability(&self) -> Option<f64> {
        self.mean(self.bins.iter().map(|bin| bin.probability_sum).sum())
    }

    fn mean(&self, sum: f64) -> Option<f64> {
        let images: usize = self.bins.iter().map(|bin| bin.images).sum();
        (images > 0).then(|| sum / images as f64)
    }
}

impl CalibrationBin {
    fn merge(&mut self, other: Self) {
        self.images += other.images;
        self.right += other.right;
        self.probability_sum += other.probability_sum;
    }

    /// Returns the share of right answers; `None` without images.
    pub fn accuracy(&self) -> Option<f64> {
        (self.images > 0).then(|| self.right as f64 / self.images as f64)
    }

    /// Returns the mean probability of the answers; `None` without images.
    pub fn probability(&self) -> Option<f64> {
        (self.images > 0).then(|| self.probability_sum / self.images as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_error_is_the_mean_gap() {
        assert_eq!(Calibration::default().expected_error(), None);
        // Two of three at 0.9 and more, one of two at 0.55.
        let mut parts = [Calibration::default(); 2];
        for (at, (probability, is_right)) in
            [(0.9, true), (0.9, true), (0.55, true), (0.55, false), (1.0, false)]
                .into_iter()
                .enumerate()
        {
            parts[at % 2].add(probability, is_right);
        }
        let [mut calibration, other] = parts;
        calibration.merge(&other);
        assert_eq!((calibration.bins()[9].images, calibration.bins()[5].images), (3, 2));
        assert_eq!(calibration.bins()[9].accuracy(), Some(2.0 / 3.0));
        let expected = ((2.8 - 2.0) + (1.1 - 1.0)) / 5.0;
        assert!((calibration.expected_error().unwrap() - expected).abs() < 1e-12);
        assert!((calibration.mean_probability().unwrap() - 3.9 / 5.0).abs() < 1e-12);
    }
}
