//! Loss and accuracy, computed on the host from the logits.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use nin_data::MixedTargets;
use nin_model::{HostTensor, ModelError};

/// Sums for loss and accuracy, as in the book's accumulator.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Score {
    /// Sum of the cross-entropies of all images, in nats.
    pub loss_sum: f64,
    /// Number of images whose largest logit is that of their label.
    pub correct: usize,
    /// Number of images.
    pub images: usize,
}

impl Score {
    /// Returns the mean cross-entropy, in nats; 0 without images.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.images.max(1) as f64
    }

    /// Returns the accuracy, from 0 to 1; 0 without images.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }

    /// Adds the sums of other images.
    pub fn add(&mut self, other: Self) {
        self.loss_sum += other.loss_sum;
        self.correct += other.correct;
        self.images += other.images;
    }
}

/// The logits and labels of a batch, on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    logits: Vec<f32>,
    labels: Vec<usize>,
    /// The second labels, if the images are mixed.
    mixed: Option<MixedTargets>,
    classes: usize,
}

impl Answers {
    /// Reads `[batch, classes]` logits from their device.
    ///
    /// # Errors
    /// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if the read fails.
    pub fn read<B: Backend>(logits: &Tensor<B, 2>, labels: Vec<usize>) -> Result<Self, ModelError> {
        let [_, classes] = logits.dims();
        let HostTensor { values, .. } = HostTensor::read("logits", logits)?;
        Ok(Self { logits: values, labels, mixed: None, classes })
    }

    /// Sets the second labels and the shares of mixed images.
    #[must_use]
    pub fn mixed_with(self, mixed: Option<MixedTargets>) -> Self {
        Self { mixed, ..self }
    }

    /// Averages the probabilities of two predictions for the same images. Each logit becomes the logarithm of the mean
    /// probability, so that the softmax of the logits gives the means.
    #[must_use]
    pub fn averaged_with(mut self, other: &Self) -> Self {
        let rows = self.logits.chunks_exact_mut(self.classes);
        for (row, other) in rows.zip(other.logits.chunks_exact(self.classes)) {
            let (ours, theirs) = (log_sum(row), log_sum(other));
            for (logit, other) in row.iter_mut().zip(other) {
                let both = [f64::from(*logit) - ours, f64::from(*other) - theirs];
                let largest = both[0].max(both[1]);
                let sum: f64 = both.iter().map(|one| (one - largest).exp()).sum();
                *logit = (largest + (sum / 2.0).ln()) as f32;
            }
        }
        self
    }

    /// Appends the answers of the images that follow in the batch.
    #[must_use]
    pub(crate) fn followed_by(mut self, next: Self) -> Self {
        self.logits.extend(next.logits);
        self.labels.extend(next.labels);
        if let (Some(mixed), Some(next)) = (&mut self.mixed, next.mixed) {
            mixed.labels.extend(next.labels);
        }
        self
    }

    /// Returns the answers as bytes, for another process.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Self { logits, labels, mixed, classes } = self;
        let share = mixed.as_ref().map_or(f64::NAN, |mixed| mixed.share);
        let mut bytes =
            [labels.len() as u64, *classes as u64, share.to_bits()].map(u64::to_le_bytes).concat();
        bytes.extend(logits.iter().flat_map(|logit| logit.to_le_bytes()));
        let second = mixed.iter().flat_map(|mixed| &mixed.labels);
        bytes.extend(labels.iter().chain(second).flat_map(|&label| (label as u64).to_le_bytes()));
        bytes
    }

    /// Returns the answers of [`to_bytes`](Self::to_bytes); `None` for other bytes, such as those of an empty part.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (header, rest) = bytes.split_at_checked(3 * 8)?;
        let words = |bytes: &[u8]| -> Vec<u64> {
            bytes.as_chunks::<8>().0.iter().map(|&word| u64::from_le_bytes(word)).collect()
        };
        let [images, classes, share] = words(header)[..] else { return None };
        let (images, classes) = (images as usize, classes as usize);
        let (logits, labels) = rest.split_at_checked(4 * images.checked_mul(classes)?)?;
        let logits = logits.as_chunks::<4>().0.iter().map(|&logit| f32::from_le_bytes(logit));
        let mut labels = words(labels).into_iter().map(|label| label as usize);
        let first: Vec<usize> = labels.by_ref().take(images).collect();
        let share = f64::from_bits(share);
        let mixed = (!share.is_nan()).then(|| MixedTargets { labels: labels.collect(), share });
        Some(Self { logits: logits.collect(), labels: first, mixed, classes })
    }

    #[cfg(test)]
    pub(crate) fn of(logits: Vec<f32>, labels: Vec<usize>, classes: usize) -> Self {
        Self { logits, labels, mixed: None, classes }
    }

    /// Returns the logits, the answer (the class of the largest logit) and the label of each image.
    pub fn iter(&self) -> impl Iterator<Item = (&[f32], usize, usize)> {
        self.logits
            .chunks_exact(self.classes)
            .zip(&self.labels)
            .map(|(logits, &label)| (logits, largest(logits), label))
    }

    /// Returns the sums over the batch. The loss of a mixed image weights both labels by their shares; its correct
    /// answer is the first label, which has the larger share.
    pub fn score(&self) -> Score {
        let mut score = Score::default();
        for (at, (logits, answer, label)) in self.iter().enumerate() {
            let loss = cross_entropy(logits, label);
            let loss_sum = self.mixed.as_ref().map_or(loss, |MixedTargets { labels, share }| {
                (1.0 - share) * loss + share * cross_entropy(logits, labels[at])
            });
            score.add(Score { loss_sum, correct: usize::from(answer == label), images: 1 });
        }
        score
    }
}

/// Returns the index of the largest logit; the first of equals, like `torch.argmax` on a CPU.
fn largest(logits: &[f32]) -> usize {
    let mut best = 0;
    for (index, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = index;
        }
    }
    best
}

/// Returns the softmax of a class.
pub(crate) fn probability(logits: &[f32], class: usize) -> f64 {
    (-cross_entropy(logits, class)).exp()
}

/// Returns the negative logarithm of the label's softmax, in nats.
fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    log_sum(logits) - f64::from(logits[label])
}

/// Returns the logarithm of the sum of exponentials.
fn log_sum(logits: &[f32]) -> f64 {
    let shift = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - shift).exp()).sum();
    sum.ln() + shift
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(logits: &[f32], labels: &[usize], classes: usize) -> Answers {
        Answers::of(logits.to_vec(), labels.to_vec(), classes)
    }

    #[test]
    fn equal_logits_cost_the_logarithm_of_the_classes() {
        let score = answers(&[0.0; 20], &[0, 9], 10).score();
        assert!((score.loss() - 10_f64.ln()).abs() < 1e-12);
        assert_eq!((score.correct, score.images), (1, 2));
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let score = answers(&[1e30, 0.0, -1e30], &[0], 3).score();
        assert_eq!((score.loss(), score.correct), (0.0, 1));
    }

    #[test]
    fn a_mixed_image_has_two_labels_and_the_larger_is_right() {
        let logits = [1.0, 3.0, 0.5];
        let alone = |label| answers(&logits, &[label], 3).score().loss();
        let mixed = MixedTargets { labels: vec![2], share: 0.3 };
        let score = answers(&logits, &[1], 3).mixed_with(Some(mixed)).score();
        assert!((score.loss() - (0.7 * alone(1) + 0.3 * alone(2))).abs() < 1e-12);
        assert_eq!(score.correct, 1);
    }

    #[test]
    fn averaged_answers_are_the_mean_of_probabilities() {
        let (one, other) =
            ([2.0_f32, -1.0, 0.5, 0.0, 0.0, 40.0], [0.0_f32, 3.0, 0.25, 9.0, 9.0, -40.0]);
        let averaged = answers(&one, &[0, 2], 3).averaged_with(&answers(&other, &[0, 2], 3));
        let softmax = |row: &[f32]| -> Vec<f64> {
            let powers: Vec<f64> = row.iter().map(|&logit| f64::from(logit).exp()).collect();
            let sum: f64 = powers.iter().sum();
            powers.into_iter().map(|power| power / sum).collect()
        };
        for (at, (logits, _, label)) in averaged.iter().enumerate() {
            let [one, other] = [one, other].map(|logits| softmax(&logits[3 * at..][..3]));
            for class in 0..3 {
                let expected = f64::midpoint(one[class], other[class]);
                let found = softmax(logits)[class];
                assert!((found - expected).abs() < 1e-6, "{at}, {class}: {found}, {expected}");
            }
            let loss = -f64::midpoint(one[label], other[label]).ln();
            let found = cross_entropy(logits, label);
            assert!((found - loss).abs() < 1e-6, "{at}: {found}, {loss}");
        }
    }

    #[test]
    fn nan_is_seen_in_the_loss() {
        assert!(answers(&[f32::NAN, 0.0], &[0], 2).score().loss().is_nan());
    }
}
