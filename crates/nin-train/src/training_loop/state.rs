//! The changing part of an attempt.

use std::time::Instant;

use burn::tensor::backend::AutodiffBackend;

use super::job::Job;
use super::save_status::Saving;
use crate::averaging::Average;
use crate::checkpoint::TrainingState;
use crate::figures::Figures;
use crate::learner::LoopLearner;
use crate::loss_scale::LossScale;
use crate::metrics_log::MetricsLog;
use crate::sentinel::Sentinel;

/// An attempt in training.
pub(crate) struct TrainingLoop<'a, B: AutodiffBackend> {
    pub(super) job: &'a Job<B>,
    pub(super) learner: &'a mut LoopLearner<B>,
    pub(super) state: TrainingState,
    pub(super) log: MetricsLog,
    pub(super) sentinel: Sentinel,
    /// The moving average of the weights, if the recipe has `training.ema_decay`.
    pub(super) average: Option<Average<B::InnerBackend>>,
    pub(super) saving: Saving,
    /// Figures of the current weights; `None` after a step.
    pub(super) evaluated: Option<Figures>,
    pub(super) begun: Instant,
}

impl<'a, B: AutodiffBackend> TrainingLoop<'a, B> {
    /// Creates a loop that starts or resumes at `state`.
    pub(crate) fn new(
        job: &'a Job<B>,
        learner: &'a mut LoopLearner<B>,
        mut state: TrainingState,
        log: MetricsLog,
    ) -> Self {
        state.loss_scale = state.loss_scale.or(LossScale::of(job.recipe.training.precision));
        let classes = job.metadata.classes.clone();
        Self {
            sentinel: Sentinel::new(classes, job.loaders.train.steps_per_epoch()),
            job,
            learner,
            state,
            log,
            average: None,
            saving: Saving::default(),
            evaluated: None,
            begun: Instant::now(),
        }
    }

    /// Sets the average to evaluate and save instead of the weights.
    #[must_use]
    pub(crate) fn with_average(self, average: Option<Average<B::InnerBackend>>) -> Self {
        Self { average, ..self }
    }

    /// Sets the epoch and the total steps of the state that a checkpoint already holds.
    #[must_use]
    pub(crate) fn saved_at(self, saved: Option<(usize, usize)>) -> Self {
        Self { saving: Saving::after(saved), ..self }
    }
}
