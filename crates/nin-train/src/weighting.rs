//! Class weights, the weighted training loss, and the factors of every loss on wgpu.
//!
//! The loss is PyTorch's `cross_entropy(logits, targets, weight=weights, label_smoothing=share)`. It is linear in the
//! log-probabilities, so targets, weights and divisor of a batch reduce to one factor per image and class.

use burn::tensor::activation::log_softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use nin_data::{DataSet, MixedTargets};
use nin_model::ModelMetadata;

use crate::TrainError;
use crate::recipe::{ClassWeights, Recipe, RecipeError};

/// Largest ratio of class sizes without a warning.
const LARGEST_RATIO: usize = 10;

/// Returns the number of training images of each class.
fn counts_of(data: &DataSet, metadata: &ModelMetadata) -> Vec<usize> {
    let labels = data.train.labels().iter().map(|&label| usize::from(label));
    counts(labels, metadata.classes.len())
}

fn counts(labels: impl IntoIterator<Item = usize>, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for label in labels {
        if let Some(count) = counts.get_mut(label) {
            *count += 1;
        }
    }
    counts
}

/// Returns the weight of each class in the training loss; `None` for equal weights.
///
/// # Errors
/// [`RecipeError::Refused`] if a list does not have one weight per class.
pub(crate) fn class_weights(
    recipe: &Recipe,
    data: &DataSet,
    metadata: &ModelMetadata,
) -> Result<Option<Vec<f64>>, TrainError> {
    let counts = counts_of(data, metadata);
    match &recipe.training.class_weights {
        ClassWeights::None => Ok(None),
        ClassWeights::Balanced => Ok(Some(balanced(&counts))),
        ClassWeights::List(weights) if weights.len() == counts.len() => Ok(Some(weights.clone())),
        ClassWeights::List(weights) => Err(TrainError::Recipe(RecipeError::Refused {
            key: "training.class_weights".to_owned(),
            expected: format!("{} weights, one for each class", counts.len()),
            found: format!("{} weights", weights.len()),
        })),
    }
}

/// Returns balanced weights, like scikit-learn's `compute_class_weight("balanced")`; 0 for a class without images.
fn balanced(counts: &[usize]) -> Vec<f64> {
    let images: usize = counts.iter().sum();
    let classes = counts.iter().filter(|&&count| count > 0).count();
    let weight = |&count: &usize| match count {
        0 => 0.0,
        count => images as f64 / (classes * count) as f64,
    };
    counts.iter().map(weight).collect()
}

/// Returns a warning if the classes have equal weights although one has more than ten times as many images as another.
pub(crate) fn warning(recipe: &Recipe, data: &DataSet, metadata: &ModelMetadata) -> Option<String> {
    let is_plain = recipe.training.class_weights == ClassWeights::None;
    imbalance(&counts_of(data, metadata), &metadata.classes).filter(|_| is_plain)
}

fn imbalance(counts: &[usize], names: &[String]) -> Option<String> {
    let present = || counts.iter().zip(names).filter(|(count, _)| **count > 0);
    let (most, largest) = present().rev().max_by_key(|(count, _)| **count)?;
    let (least, smallest) = present().min_by_key(|(count, _)| **count)?;
    (*most > least * LARGEST_RATIO).then(|| {
        format!(
            "the class `{largest}` has {most} training images, `{smallest}` has {least}: \
             set `training.class_weights = \"balanced\"` to give all classes equal weight, and \
             `checkpoint.best_by = \"balanced_accuracy\"` to choose the best checkpoint by it"
        )
    })
}

/// The targets of a batch, on the host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Targets<'a> {
    /// The label of each image.
    pub(crate) labels: &'a [usize],
    /// The second labels, if the images are mixed.
    pub(crate) mixed: Option<&'a MixedTargets>,
    /// Share of each target to spread over all classes.
    pub(crate) smoothing: f64,
    /// The label of each image of the whole batch, of which these images may be a part.
    pub(crate) of_batch: &'a [usize],
}

/// Returns the weighted cross-entropy of `[batch, classes]` logits, of shape `[1]`, in nats.
///
/// For plain targets, this is the weighted mean: the sum is divided by the sum of the labels' weights. Mixed targets
/// are class probabilities; like PyTorch, this divides their sum by the number of images. If all weights of a batch are
/// 0, PyTorch's mean is 0 / 0; here the loss and its gradient are 0. The loss of a part of a batch is its share of the
/// batch's loss: the losses of all parts add up to it.
pub(crate) fn weighted_cross_entropy<B: Backend>(
    logits: Tensor<B, 2>,
    targets: Targets<'_>,
    weights: &[f64],
) -> Tensor<B, 1> {
    let [batch, classes] = logits.dims();
    let factors = TensorData::new(factors(targets, classes, Some(weights)), [batch, classes]);
    let factors = Tensor::<B, 2>::from_data(factors, &logits.device());
    (log_softmax(logits, 1) * factors).sum().neg()
}

/// Returns the factor of each log-probability, `[batch, classes]`. `None` weights every class 1.
pub(crate) fn factors(targets: Targets<'_>, classes: usize, weights: Option<&[f64]>) -> Vec<f32> {
    let Targets { labels, mixed, smoothing, of_batch } = targets;
    let weight = |class: usize| weights.map_or(1.0, |weights| weights[class]);
    let divisor = match mixed {
        Some(_) => of_batch.len() as f64,
        None => of_batch.iter().map(|&label| weight(label)).sum(),
    };
    let scale = if divisor > 0.0 { 1.0 / divisor } else { 0.0 };
    let spread = smoothing / classes as f64;
    let mut factors = Vec::with_capacity(labels.len() * classes);
    for (image, &label) in labels.iter().enumerate() {
        let mut target = vec![spread; classes];
        let share = mixed.map_or(0.0, |mixed| mixed.share);
        target[label] += (1.0 - smoothing) * (1.0 - share);
        if let Some(mixed) = mixed {
            target[mixed.labels[image]] += (1.0 - smoothing) * share;
        }
        let row = target.iter().enumerate();
        factors.extend(row.map(|(class, target)| (target * weight(class) * scale) as f32));
    }
    factors
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn_flex::{Flex, FlexDevice};
    use nin_model::HostTensor;
    use serde::Deserialize;

    use super::*;

    type Training = Autodiff<Flex>;

    /// PyTorch's results, from `tests/suite/weighting_golden.py`.
    const GOLDEN: &str = include_str!("../tests/suite/weighting_golden.json");
    /// Rounding of sums of a few dozen 32-bit products, in another order than PyTorch's.
    const TOLERANCE: f32 = 1e-6;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        logits: Vec<f32>,
        labels: Vec<usize>,
        second: Option<Vec<usize>>,
        share: f64,
        smoothing: f64,
        weights: Vec<f64>,
        loss: f32,
        gradient: Vec<f32>,
    }

    #[test]
    fn loss_and_gradient_are_pytorchs() {
        let cases: Vec<Case> = serde_json::from_str(GOLDEN).unwrap();
        assert!(cases.len() >= 12);
        for case in cases {
            let second = case.second.map(|labels| MixedTargets { labels, share: case.share });
            let shape = [case.labels.len(), case.weights.len()];
            let logits = TensorData::new(case.logits, shape);
            let logits = Tensor::<Training, 2>::from_data(logits, &FlexDevice).require_grad();
            let targets = Targets {
                labels: &case.labels,
                mixed: second.as_ref(),
                smoothing: case.smoothing,
                of_batch: &case.labels,
            };
            let loss = weighted_cross_entropy(logits.clone(), targets, &case.weights);
            let gradients = loss.backward();
            let found = HostTensor::read("loss", &loss.inner()).unwrap().values;
            let gradient = logits.grad(&gradients).unwrap();
            let gradient = HostTensor::read("gradient", &gradient).unwrap().values;
            let expected = [&[case.loss][..], &case.gradient].concat();
            assert_eq!(found.len() + gradient.len(), expected.len());
            for (found, expected) in [found, gradient].concat().iter().zip(&expected) {
                let difference = (found - expected).abs();
                assert!(difference < TOLERANCE, "{}: {found}, {expected}", case.name);
            }
        }
    }

    #[test]
    fn a_batch_without_weight_moves_nothing() {
        let labels = [1, 1];
        let targets = Targets { labels: &labels, mixed: None, smoothing: 0.0, of_batch: &labels };
        assert_eq!(factors(targets, 2, Some(&[1.0, 0.0])), [0.0; 4]);
    }

    #[test]
    fn balanced_weights_are_scikit_learns() {
        let counts = counts([0, 0, 0, 0, 0, 0, 2, 2], 3);
        assert_eq!(counts, [6, 0, 2]);
        // compute_class_weight("balanced", classes=[0, 2], y=...) is [8 / (2 * 6), 8 / (2 * 2)].
        assert_eq!(balanced(&counts), [8.0 / 12.0, 0.0, 2.0]);
    }

    #[test]
    fn more_than_ten_to_one_is_said_with_the_names_and_the_key() {
        let names = ["cat", "dog", "newt", "eel"].map(str::to_owned);
        assert_eq!(imbalance(&[10, 100, 0, 50], &names), None);
        let said = imbalance(&[10, 101, 0, 101], &names).unwrap();
        let start = "the class `dog` has 101 training images, `cat` has 10: ";
        assert!(said.starts_with(start) && said.contains("training.class_weights"), "{said}");
        assert_eq!(imbalance(&[0; 4], &names), None);
    }
}
