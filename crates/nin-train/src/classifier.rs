//! The network as Burn's learner sees it: a step of training, a step of inference.

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};
use nin_data::ImageBatch;
use nin_model::{DropoutKey, ModelError, NetworkInNetwork};

use crate::score::Answers;

/// A network that Burn's `Learner` can train.
#[derive(Module, Debug)]
pub struct Classifier<B: Backend> {
    network: NetworkInNetwork<B>,
    /// Bits of the run's seed, from which dropout is drawn.
    #[module(skip)]
    seed: u64,
    /// Share of a target that is spread over all classes.
    #[module(skip)]
    label_smoothing: f64,
}

/// A batch's answers, or why the device did not give them.
pub struct StepAnswers(pub Result<Answers, ModelError>);

impl ItemLazy for StepAnswers {
    type ItemSync = Self;

    fn sync(self) -> Self {
        self
    }
}

impl<B: Backend> Classifier<B> {
    /// The classifier of this network, with dropout drawn from `seed`.
    pub fn new(network: NetworkInNetwork<B>, seed: u64) -> Self {
        Self { network, seed, label_smoothing: 0.0 }
    }

    /// Trains with this share of each target spread over all classes.
    #[must_use]
    pub fn with_label_smoothing(self, label_smoothing: f64) -> Self {
        Self { label_smoothing, ..self }
    }

    /// The network.
    pub fn network(&self) -> &NetworkInNetwork<B> {
        &self.network
    }
}

/// The mean cross-entropy of `[batch, classes]` logits, `[1]`, in nats.
pub fn cross_entropy<B: Backend>(logits: Tensor<B, 2>, targets: Tensor<B, 1, Int>) -> Tensor<B, 1> {
    smoothed_cross_entropy(logits, targets, 0.0)
}

/// [`cross_entropy`] with this share of each target spread over all classes, as PyTorch's
/// `label_smoothing`.
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

impl<B: AutodiffBackend> TrainStep for Classifier<B> {
    type Input = ImageBatch<B>;
    type Output = StepAnswers;

    fn step(&self, batch: ImageBatch<B>) -> TrainOutput<StepAnswers> {
        let key = DropoutKey { seed: self.seed, epoch: batch.epoch, step: batch.step };
        let logits = self.network.forward_training(batch.images, &key); // [batch, classes]
        let answers = Answers::read(&logits.clone().inner(), batch.labels);
        let loss = smoothed_cross_entropy(logits, batch.targets, self.label_smoothing);
        let gradients = loss.backward();
        TrainOutput::new(self, gradients, StepAnswers(answers))
    }
}

impl<B: Backend> InferenceStep for Classifier<B> {
    type Input = ImageBatch<B>;
    type Output = StepAnswers;

    fn step(&self, batch: ImageBatch<B>) -> StepAnswers {
        StepAnswers(Answers::read(&self.network.forward(batch.images), batch.labels))
    }
}
