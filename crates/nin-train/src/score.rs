//! Loss and right answers, summed on the host from the logits.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use nin_model::{HostTensor, ModelError};

/// The sums of the book's accumulator: loss times images, right answers, images.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Score {
    /// Sum of the images' cross-entropies, in nats.
    pub loss_sum: f64,
    /// Images whose largest logit is that of their label.
    pub correct: usize,
    /// Images.
    pub images: usize,
}

impl Score {
    /// The mean cross-entropy of an image, in nats.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.images.max(1) as f64
    }

    /// The share of right answers.
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

/// One batch's logits on the host, with the labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    logits: Vec<f32>,
    labels: Vec<usize>,
    classes: usize,
}

impl Answers {
    /// Reads `[batch, classes]` logits back from their device.
    ///
    /// # Errors
    /// [`ModelError::Device`] where the device does not give them back.
    pub fn read<B: Backend>(logits: &Tensor<B, 2>, labels: Vec<usize>) -> Result<Self, ModelError> {
        let [_, classes] = logits.dims();
        let HostTensor { values, .. } = HostTensor::read("logits", logits)?;
        Ok(Self { logits: values, labels, classes })
    }

    #[cfg(test)]
    pub(crate) fn of(logits: Vec<f32>, labels: Vec<usize>, classes: usize) -> Self {
        Self { logits, labels, classes }
    }

    /// Each image's logits, answer and label.
    pub fn iter(&self) -> impl Iterator<Item = (&[f32], usize, usize)> {
        self.logits
            .chunks_exact(self.classes)
            .zip(&self.labels)
            .map(|(logits, &label)| (logits, largest(logits), label))
    }

    /// The sums over the batch.
    pub fn score(&self) -> Score {
        let mut score = Score::default();
        for (logits, answer, label) in self.iter() {
            score.add(Score {
                loss_sum: cross_entropy(logits, label),
                correct: usize::from(answer == label),
                images: 1,
            });
        }
        score
    }
}

/// The position of the largest logit; the first of equals, as `torch.argmax` on a CPU.
fn largest(logits: &[f32]) -> usize {
    let mut best = 0;
    for (index, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = index;
        }
    }
    best
}

/// The negative logarithm of the label's softmax, in nats.
fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let shift = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - shift).exp()).sum();
    sum.ln() + shift - f64::from(logits[label])
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
    fn nan_is_seen_in_the_loss() {
        assert!(answers(&[f32::NAN, 0.0], &[0], 2).score().loss().is_nan());
    }
}
