//! The network as Burn's `TrainStep` and `InferenceStep`.

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};
use nin_data::{ImageBatch, MixedTargets};
use nin_model::{DropoutKey, InferencePlan, ModelError, NetworkInNetwork, fused_cross_entropy};

use crate::score::Answers;
use crate::weighting::{Targets, factors, weighted_cross_entropy};

/// A network with its training loss, as Burn's `Learner` takes it.
#[derive(Module, Debug)]
pub struct Classifier<B: Backend> {
    network: NetworkInNetwork<B>,
    /// Seed of the dropout masks.
    #[module(skip)]
    seed: u64,
    /// Share of each target to spread over all classes.
    #[module(skip)]
    label_smoothing: f64,
    /// Weight of each class in the training loss; `None` for equal weights.
    #[module(skip)]
    class_weights: Option<Vec<f64>>,
    /// Factor on the training loss before the backward pass.
    #[module(skip)]
    loss_scale: f64,
    /// Whether inference averages each image with its mirror image.
    #[module(skip)]
    flips: bool,
}

/// A [`Classifier`] prepared for inference. It answers as the classifier does, faster ([`InferencePlan`]).
#[derive(Debug)]
pub struct PreparedClassifier<B: Backend> {
    plan: InferencePlan<B>,
    flips: bool,
}

/// The answers of a batch, or the error of the device.
pub struct StepAnswers(pub Result<Answers, ModelError>);

impl ItemLazy for StepAnswers {
    type ItemSync = Self;

    fn sync(self) -> Self {
        self
    }
}

impl<B: Backend> Classifier<B> {
    /// Creates a classifier. `seed` draws the dropout masks.
    pub fn new(network: NetworkInNetwork<B>, seed: u64) -> Self {
        Self {
            network,
            seed,
            label_smoothing: 0.0,
            class_weights: None,
            loss_scale: 1.0,
            flips: false,
        }
    }

    /// Sets the share of each target to spread over all classes, as in PyTorch's
    /// `cross_entropy(label_smoothing=...)`.
    #[must_use]
    pub fn with_label_smoothing(self, label_smoothing: f64) -> Self {
        Self { label_smoothing, ..self }
    }

    /// Sets the weight of each class in the training loss, one per class, as in PyTorch's `cross_entropy(weight=...)`;
    /// `None` for equal weights.
    #[must_use]
    pub fn with_class_weights(self, class_weights: Option<Vec<f64>>) -> Self {
        Self { class_weights, ..self }
    }

    /// Sets the factor on the training loss before the backward pass: the gradients of
    /// [`TrainStep::step`] are multiplied by it.
    #[must_use]
    pub(crate) fn with_loss_scale(self, loss_scale: f64) -> Self {
        Self { loss_scale, ..self }
    }

    /// Sets whether inference averages the probabilities of each image and its mirror image, as in Krizhevsky,
    /// Sutskever and Hinton (2012, section 4.1) and in Simonyan and Zisserman (arXiv:1409.1556, section 3.2). Mirrors
    /// the preprocessed input, left to right. Has no effect on training.
    #[must_use]
    pub fn with_flips(self, flips: bool) -> Self {
        Self { flips, ..self }
    }

    /// Returns the network.
    pub fn network(&self) -> &NetworkInNetwork<B> {
        &self.network
    }

    /// Prepares the classifier, as it is now, for inference.
    ///
    /// # Errors
    /// Those of [`InferencePlan::new`].
    pub fn prepared(&self) -> Result<PreparedClassifier<B>, ModelError> {
        let plan = InferencePlan::new(self.network.clone())?;
        Ok(PreparedClassifier { plan, flips: self.flips })
    }

    /// Returns the training loss of a batch in parts whose sum it is: `[images]` on wgpu, otherwise `[1]`. `targets` and
    /// `of_host` are the same targets on the device and on the host.
    fn loss(
        &self,
        logits: Tensor<B, 2>,
        targets: Tensor<B, 1, Int>,
        of_host: Targets<'_>,
    ) -> Tensor<B, 1> {
        let ([_, classes], weights) = (logits.dims(), self.class_weights.as_deref());
        if let Some(losses) = fused_cross_entropy(&logits, || factors(of_host, classes, weights)) {
            return losses;
        }
        if let Some(weights) = weights {
            return weighted_cross_entropy(logits, of_host, weights);
        }
        let Targets { labels, mixed, smoothing, of_batch } = of_host;
        let mean = mixed_cross_entropy(logits, targets, mixed, smoothing);
        let (images, all) = (labels.len(), of_batch.len());
        if images < all { mean * (images as f64 / all as f64) } else { mean }
    }
}

impl<B: Backend> PreparedClassifier<B> {
    /// Answers a batch.
    pub fn step(&self, batch: ImageBatch<B>) -> StepAnswers {
        StepAnswers(answers(batch, self.flips, |images| self.plan.forward(images)))
    }
}

/// Answers a batch by the logits `[batch, classes]` that `forward` computes. With `flips`, averages the answers with those for
/// the mirror images.
fn answers<B: Backend>(
    batch: ImageBatch<B>,
    flips: bool,
    forward: impl Fn(Tensor<B, 4>) -> Tensor<B, 2>,
) -> Result<Answers, ModelError> {
    let ImageBatch { images, labels, .. } = batch;
    if !flips {
        return Answers::read(&forward(images), labels);
    }
    let mirrored = images.clone().flip([3]); // [batch, channels, height, width], rows reversed
    let answers = Answers::read(&forward(images), labels.clone())?;
    Ok(answers.averaged_with(&Answers::read(&forward(mirrored), labels)?))
}

/// Returns the mean cross-entropy of `[batch, classes]` logits and `[batch]` targets, of shape `[1]`, in nats.
pub fn cross_entropy<B: Backend>(logits: Tensor<B, 2>, targets: Tensor<B, 1, Int>) -> Tensor<B, 1> {
    smoothed_cross_entropy(logits, targets, 0.0)
}

/// Returns the [`cross_entropy`] with label smoothing, as in PyTorch.
fn smoothed_cross_entropy<B: Backend>(
    logits: Tensor<B, 2>,
    targets: Tensor<B, 1, Int>,
    share: f64,
) -> Tensor<B, 1> {
    let smoothing = (share > 0.0).then_some(share as f32);
    CrossEntropyLossConfig::new()
        .with_smoothing(smoothing)
        .init(&logits.device())
        .forward(logits, targets)
}

/// Returns the [`smoothed_cross_entropy`] of mixed targets, two classes by their shares. It equals PyTorch's
/// `cross_entropy` for targets that are probabilities.
fn mixed_cross_entropy<B: Backend>(
    logits: Tensor<B, 2>,
    targets: Tensor<B, 1, Int>,
    mixed: Option<&MixedTargets>,
    smoothing: f64,
) -> Tensor<B, 1> {
    let Some(mixed) = mixed else {
        return smoothed_cross_entropy(logits, targets, smoothing);
    };
    let others = mixed.targets(&logits.device());
    smoothed_cross_entropy(logits.clone(), targets, smoothing) * (1.0 - mixed.share)
        + smoothed_cross_entropy(logits, others, smoothing) * mixed.share
}

impl<B: AutodiffBackend> TrainStep for Classifier<B> {
    type Input = ImageBatch<B>;
    type Output = StepAnswers;

    fn step(&self, batch: ImageBatch<B>) -> TrainOutput<StepAnswers> {
        let ImageBatch { images, targets, labels, mixed, epoch, step, place, .. } = batch;
        let first_image = place.as_ref().map_or(0, |place| place.first);
        let key = DropoutKey { seed: self.seed, epoch, step, first_image };
        let logits = self.network.forward_training(images, &key); // [batch, classes]
        let of_host = Targets {
            labels: &labels,
            mixed: mixed.as_ref(),
            smoothing: self.label_smoothing,
            of_batch: place.as_ref().map_or(labels.as_slice(), |place| &place.labels),
        };
        let loss = self.loss(logits.clone(), targets, of_host);
        // In f16 only, so that no other training takes a dispatch more.
        let loss = if self.loss_scale == 1.0 { loss } else { loss * self.loss_scale };
        // Before the logits are read, so that a GPU computes while the host waits.
        let gradients = loss.backward();
        let answers =
            Answers::read(&logits.inner(), labels).map(|answers| answers.mixed_with(mixed));
        TrainOutput::new(self, gradients, StepAnswers(answers))
    }
}

impl<B: Backend> InferenceStep for Classifier<B> {
    type Input = ImageBatch<B>;
    type Output = StepAnswers;

    fn step(&self, batch: ImageBatch<B>) -> StepAnswers {
        StepAnswers(answers(batch, self.flips, |images| self.network.forward(images)))
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn::tensor::TensorData;
    use burn_flex::{Flex, FlexDevice};
    use nin_model::HostTensor;

    use super::*;

    type Training = Autodiff<Flex>;

    /// Rounding of sums of a few 32-bit products, in another order than PyTorch's.
    const TOLERANCE: f32 = 1e-6;

    /// PyTorch 2's `cross_entropy(logits, 0.7 * one_hot([1, 2]) + 0.3 * one_hot([0, 2]), label_smoothing=s)`:
    /// the loss and the gradient of the logits.
    #[test]
    fn a_mixed_target_costs_what_it_does_in_pytorch() {
        let cases = [
            (
                0.0,
                1.224_506_3,
                [
                    0.242_798_5,
                    -0.330_443_7,
                    0.087_645_195,
                    0.028_700_277,
                    0.022_351_798,
                    -0.051_052_094,
                ],
            ),
            (
                0.1,
                1.290_339_7,
                [
                    0.241_131_84,
                    -0.312_110_4,
                    0.070_978_53,
                    0.012_033_61,
                    0.005_685_13,
                    -0.017_718_762,
                ],
            ),
        ];
        for (smoothing, loss, gradient) in cases {
            let logits = TensorData::new(vec![2.0_f32, -1.0, 0.5, 0.25, 0.0, 3.0], [2, 3]);
            let logits = Tensor::<Training, 2>::from_data(logits, &FlexDevice).require_grad();
            let targets = TensorData::new(vec![1_i64, 2], [2]);
            let targets = Tensor::from_data(targets, &FlexDevice);
            let mixed = MixedTargets { labels: vec![0, 2], share: 0.3 };
            let found = mixed_cross_entropy(logits.clone(), targets, Some(&mixed), smoothing);
            let gradients = found.backward();
            let found = HostTensor::read("loss", &found.inner()).unwrap().values;
            let found_gradient = logits.grad(&gradients).unwrap();
            let found_gradient = HostTensor::read("gradient", &found_gradient).unwrap().values;
            let expected = [&[loss][..], &gradient].concat();
            for (found, expected) in [found, found_gradient].concat().iter().zip(&expected) {
                assert!((found - expected).abs() < TOLERANCE, "{found}, {expected}");
            }
        }
    }

    /// Returns two images of 4x4 that differ from their mirror images, or those mirror images.
    fn pictures(mirrored: bool) -> ImageBatch<Flex> {
        let value = |at: usize| {
            let (row, column) = (at / 4, at % 4);
            let column = if mirrored { 3 - column } else { column };
            (row * 4 + column) as f32 / 32.0
        };
        let values: Vec<f32> = (0..32).map(value).collect();
        ImageBatch {
            images: Tensor::from_data(TensorData::new(values, [2, 1, 4, 4]), &FlexDevice),
            targets: Tensor::from_data(TensorData::new(vec![0_i64, 1], [2]), &FlexDevice),
            labels: vec![0, 1],
            mixed: None,
            indices: vec![0, 1],
            epoch: 1,
            step: 0,
            place: None,
        }
    }

    #[test]
    fn with_flips_an_answer_is_the_mean_over_the_image_and_its_mirror_image() {
        // The first kernel is 3x3: with 1x1 layers only, the mean over a map is the same for a mirror image.
        let block = nin_model::Block {
            kernel: 3,
            stride: 1,
            padding: 0,
            widths: [8, 8, 2].map(nin_model::Width::Channels),
            pool: None,
            dropout: 0.0,
        };
        let architecture = nin_model::Architecture::new("one block", 1, 2, vec![block]).unwrap();
        let weights = nin_model::Initialization::Kaiming.weights(&architecture, 3);
        let network = NetworkInNetwork::from_weights(&architecture, &weights, &FlexDevice).unwrap();
        let plain = Classifier::<Flex>::new(network, 1);
        let answers = |classifier: &Classifier<Flex>, mirrored| {
            InferenceStep::step(classifier, pictures(mirrored)).0.unwrap()
        };
        let probabilities = |answers: &Answers| -> Vec<f64> {
            let softmax = |logits: &[f32]| {
                let powers: Vec<f64> = logits.iter().map(|&logit| f64::from(logit).exp()).collect();
                let sum: f64 = powers.iter().sum();
                powers.into_iter().map(move |power| power / sum).collect::<Vec<_>>()
            };
            answers.iter().flat_map(|(logits, ..)| softmax(logits)).collect()
        };
        let one = probabilities(&answers(&plain, false));
        let other = probabilities(&answers(&plain, true));
        assert!(one.iter().zip(&other).any(|(one, other)| (one - other).abs() > 1e-3));
        let both = probabilities(&answers(&plain.with_flips(true), false));
        for ((found, one), other) in both.iter().zip(&one).zip(&other) {
            let expected = f64::midpoint(*one, *other);
            assert!((found - expected).abs() < f64::from(TOLERANCE), "{found}, {expected}");
        }
    }
}
