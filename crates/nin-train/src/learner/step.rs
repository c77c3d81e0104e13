//! A learner that takes one training step at a time.

use burn::optim::GradientsParams;
use burn::tensor::backend::AutodiffBackend;
use burn::train::{Learner, TrainOutput, TrainStep};
use nin_data::ImageBatch;
use nin_model::{ModelError, Weights, update_together};
use nin_optimizer::{GradientDescent, Schedule};

use super::components::{Components, RunOptimizer};
use super::optimizer_state;
use crate::classifier::Classifier;
use crate::clipping;
use crate::gradient_check::{complete, examine};
use crate::loss_scale::LossScale;
use crate::recipe::Recipe;
use crate::score::Answers;

/// Takes a recipe's training steps (forward and backward pass, optimizer and learning-rate schedule) without a run.
///
/// ```
/// use burn::backend::Autodiff;
/// use burn_flex::{Flex, FlexDevice};
/// use nin_data::{DataSet, Locations, OrderedLoader};
/// use nin_model::{Builtin, Initialization, NetworkInNetwork};
/// use nin_train::recipe::Recipe;
/// use nin_train::{Classifier, StepLearner};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let architecture = Builtin::PaperMnist.architecture(1, 10)?;
/// let weights = Initialization::Kaiming.weights(&architecture, 42);
/// let network = NetworkInNetwork::from_weights(&architecture, &weights, &FlexDevice)?;
/// let classifier = Classifier::<Autodiff<Flex>>::new(network, 42);
///
/// let data = DataSet::open("fashion-mnist-sample", None, &Locations::default())?.limited(64);
/// let loader = OrderedLoader::shuffled(data.train, 32, 42, &FlexDevice);
/// let mut learner = StepLearner::new(classifier, &Recipe::default(), 2, &FlexDevice)?;
/// for batch in loader.epoch(1, 0) {
///     let answers = learner.step(batch?)?;
///     println!("loss {:.3}", answers.score().loss());
/// }
/// # Ok(())
/// # }
/// ```
pub struct StepLearner<B: AutodiffBackend> {
    learner: Learner<Components<B>>,
    scaling: GradientScaling,
}

/// How gradients are scaled.
#[derive(Debug, Clone, Copy)]
pub(super) struct GradientScaling {
    /// The largest norm of all gradients together, where the recipe clips them.
    clip_norm: Option<f64>,
    /// The factor on the loss in the backward pass.
    loss_scale: f64,
}

/// The state of an optimizer between steps.
pub(crate) struct OptimizerState<'a> {
    /// Its tensors by parameter name; empty before the first step.
    pub(crate) tensors: &'a Weights,
    /// Number of steps since the start of the training.
    pub(crate) steps_taken: usize,
}

impl<B: AutodiffBackend> StepLearner<B> {
    /// Creates a learner at the first step of a recipe. Of the recipe, it uses `[optimizer]`, `[schedule]`,
    /// `training.epochs` and `training.precision`.
    ///
    /// # Errors
    /// [`ModelError`] if the state of the optimizer cannot be created.
    pub fn new(
        classifier: Classifier<B>,
        recipe: &Recipe,
        steps_per_epoch: usize,
        device: &B::Device,
    ) -> Result<Self, ModelError> {
        let state = OptimizerState { tensors: &Weights::new(), steps_taken: 0 };
        Self::resumed(classifier, recipe, steps_per_epoch, &state, device)
    }

    /// Creates a learner that continues from an optimizer state.
    ///
    /// # Errors
    /// [`ModelError::TensorShape`] if a tensor of the state does not fit its parameter.
    pub(crate) fn resumed(
        classifier: Classifier<B>,
        recipe: &Recipe,
        steps_per_epoch: usize,
        state: &OptimizerState<'_>,
        device: &B::Device,
    ) -> Result<Self, ModelError> {
        let Recipe { optimizer, schedule, training, .. } = recipe;
        let record = optimizer_state::record(&classifier, state.tensors, optimizer, device)?;
        let clip_norm = optimizer.clip_norm;
        let schedule =
            Schedule::new(schedule, optimizer.learning_rate, training.epochs, steps_per_epoch);
        let optimizer = RunOptimizer::from(GradientDescent::new(optimizer));
        let mut learner = Learner::new(classifier, optimizer, schedule);
        learner.load_optim(record);
        learner.load_scheduler(state.steps_taken);
        let loss_scale = LossScale::of(training.precision).map_or(1.0, LossScale::factor);
        Ok(Self { learner, scaling: GradientScaling { clip_norm, loss_scale } })
    }

    /// Takes one step. Returns the batch's answers, computed with the weights before the step.
    ///
    /// In f16, a step whose gradients overflow leaves the weights as they are, and halves the factor on the loss.
    ///
    /// # Errors
    /// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if logits or gradients cannot be read from the device;
    /// [`ModelError::MissingGradient`] if a trained parameter has no gradient. The weights keep their values; the schedule
    /// has advanced.
    pub fn step(&mut self, batch: ImageBatch<B>) -> Result<Answers, ModelError> {
        self.begin_step();
        let (answers, gradients) = self.gradients(batch)?;
        if self.scaling.loss_scale > 1.0
            && examine(&self.classifier(), &gradients, false)?.non_finite.is_some()
        {
            self.scaling.loss_scale /= 2.0;
            return Ok(answers);
        }
        self.update(gradients)?;
        Ok(answers)
    }

    /// Advances the schedule by one step and returns the learning rate of the step.
    pub fn begin_step(&mut self) -> f64 {
        self.learner.lr_step();
        self.learner.lr_current()
    }

    /// Computes the answers and the gradients of a batch. Changes nothing.
    ///
    /// # Errors
    /// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if the logits cannot be read from the device;
    /// [`ModelError::MissingGradient`] if a trained parameter has no gradient.
    pub fn gradients(
        &self,
        batch: ImageBatch<B>,
    ) -> Result<(Answers, GradientsParams), ModelError> {
        let loss_scale = self.scaling.loss_scale;
        let classifier = self.classifier();
        let is_scaled = loss_scale != 1.0;
        let TrainOutput { item, mut grads } = if is_scaled {
            TrainStep::step(&classifier.clone().with_loss_scale(loss_scale), batch)
        } else {
            self.learner.train_step(batch)
        };
        let answers = item.0?;
        complete(&classifier, &grads)?;
        if is_scaled {
            clipping::scale(&classifier, &mut grads, 1.0 / loss_scale);
        }
        Ok((answers, grads))
    }

    /// Sets the factor on the loss in the backward pass, a power of two. The gradients are divided by it, so that it only changes
    /// what 16-bit floats can hold of them.
    pub fn set_loss_scale(&mut self, loss_scale: f64) {
        self.scaling.loss_scale = loss_scale;
    }

    /// Clips the gradients as the recipe asks and updates the weights, at the learning rate of the last
    /// [`begin_step`](Self::begin_step), which must come first.
    ///
    /// # Errors
    /// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if a gradient that is to be clipped cannot be read from the
    /// device.
    pub fn update(&mut self, mut gradients: GradientsParams) -> Result<(), ModelError> {
        if let Some(norm) = self.scaling.clip_norm {
            clipping::clip(&self.learner.model(), &mut gradients, norm)?;
        }
        update_together(|| self.learner.optimizer_step(gradients));
        Ok(())
    }

    /// Returns the classifier with the current weights.
    pub fn classifier(&self) -> Classifier<B> {
        self.learner.model()
    }

    /// Puts together what [`into_parts`](Self::into_parts) took apart.
    pub(super) fn from_parts(learner: Learner<Components<B>>, scaling: GradientScaling) -> Self {
        Self { learner, scaling }
    }

    pub(super) fn as_learner(&self) -> &Learner<Components<B>> {
        &self.learner
    }

    /// Returns Burn's learner, which goes through Burn's training, and the scaling of gradients, which does not.
    pub(super) fn into_parts(self) -> (Learner<Components<B>>, GradientScaling) {
        (self.learner, self.scaling)
    }
}
