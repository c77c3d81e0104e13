//! A training strategy that runs a custom loop in Burn's training.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::backend::AutodiffBackend;
use burn::train::metric::store::EventStoreClient;
use burn::train::{
    Interrupter, Learner, SupervisedLearningStrategy, SupervisedTraining,
    SupervisedTrainingEventProcessor, TrainLoader, TrainingComponents, TrainingStrategy,
    ValidLoader,
};
use nin_model::{ModelError, Weights};

use super::components::Components;
use super::noop_renderer::NoopRenderer;
use super::optimizer_state;
use super::step::{GradientScaling, StepLearner};
use crate::classifier::Classifier;

/// A learner within Burn's training, which gives access to the optimizer's state.
pub(crate) struct LoopLearner<B: AutodiffBackend> {
    pub(crate) steps: StepLearner<B>,
    store: Arc<EventStoreClient>,
}

impl<B: AutodiffBackend> LoopLearner<B> {
    /// Returns the optimizer's state by parameter name.
    ///
    /// # Errors
    /// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if a tensor cannot be read from the device.
    pub(crate) fn optimizer_state(&self) -> Result<Weights, ModelError> {
        optimizer_state::read(self.steps.as_learner(), &self.store)
    }
}

/// Launches Burn's training with `training` as its loop, and returns the loop's result; `None` if Burn never ran it.
pub(crate) fn fit<B: AutodiffBackend, T: 'static>(
    learner: StepLearner<B>,
    (train, evaluation): (TrainLoader<Components<B>>, ValidLoader<Components<B>>),
    folder: &Path,
    interrupter: Interrupter,
    training: impl FnOnce(&mut LoopLearner<B>) -> T + 'static,
) -> Option<T> {
    let result = Arc::new(Mutex::new(None));
    let (learner, scaling) = learner.into_parts();
    let training = Mutex::new(Some(training));
    let strategy = LoopStrategy { scaling, training, result: Arc::clone(&result) };
    SupervisedTraining::new(folder, train, evaluation)
        .with_training_strategy(TrainingStrategy::Custom(Arc::new(strategy)))
        .with_application_logger(None)
        .with_metric_logger(NoopRenderer)
        .renderer(NoopRenderer)
        .with_interrupter(interrupter)
        .launch(learner);
    take(&result)
}

/// Burn takes a strategy by shared reference and calls it once, so the loop is in a `Mutex`.
struct LoopStrategy<F, T> {
    scaling: GradientScaling,
    training: Mutex<Option<F>>,
    result: Arc<Mutex<Option<T>>>,
}

impl<B, T, F> SupervisedLearningStrategy<Components<B>> for LoopStrategy<F, T>
where
    B: AutodiffBackend,
    F: FnOnce(&mut LoopLearner<B>) -> T,
{
    fn fit(
        &self,
        components: TrainingComponents<Components<B>>,
        learner: Learner<Components<B>>,
        _train: TrainLoader<Components<B>>,
        _evaluation: ValidLoader<Components<B>>,
        _starting_epoch: usize,
    ) -> (Classifier<B>, SupervisedTrainingEventProcessor<Components<B>>) {
        let store = components.event_store;
        let steps = StepLearner::from_parts(learner, self.scaling);
        let mut learner = LoopLearner { steps, store };
        if let Some(training) = take(&self.training) {
            let result = training(&mut learner);
            *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        }
        (learner.steps.classifier(), components.event_processor)
    }
}

fn take<T>(cell: &Mutex<Option<T>>) -> Option<T> {
    cell.lock().unwrap_or_else(PoisonError::into_inner).take()
}
