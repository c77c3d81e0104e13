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
        Self { network, seed }
    }

    /// The network.
    pub fn network(&self) -> &NetworkInNetwork<B> {
        &self.network
    }
}

/// The mean cross-entropy of `[batch, classes]` logits, `[1]`, in nats.
pub fn cross_entropy<B: Backend>(logits: Tensor<B, 2>, targets: Tensor<B, 1, Int>) -> Tensor<B, 1> {
    CrossEntropyLossConfig::new().init(&logits.device()).forward(logits, targets)
}

impl<B: AutodiffBackend> TrainStep for Classifier<B> {
    type Input = ImageBatch<B>;
    type Output = StepAnswers;

    fn step(&self, batch: ImageBatch<B>) -> TrainOutput<StepAnswers> {
        let key = DropoutKey { seed: self.seed, epoch: batch.epoch, step: batch.step };
        let logits = self.network.forward_training(batch.images, &key); // [batch, classes]
        let answers = Answers::read(&logits.clone().inner(), batch.labels);
        let gradients = cross_entropy(logits, batch.targets).backward();
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
