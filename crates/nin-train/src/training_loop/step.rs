//! One training step: gradients, check, update, report.

use std::time::{Duration, Instant};

use burn::module::AutodiffModule;
use burn::optim::GradientsParams;
use burn::tensor::backend::AutodiffBackend;
use nin_data::{HostBatch, Share};

use super::job::Job;
use super::state::TrainingLoop;
use super::times::EpochTimes;
use crate::TrainError;
use crate::checkpoint::TrainingState;
use crate::events::{Event, Progress, StepReport};
use crate::gradient_check::{self, Gradients};
use crate::recipe::OnNonFinite;
use crate::score::{Answers, Score};
use crate::sentinel::{Observation, Sentinel};

/// Number of points of the learning curves per epoch, as in the book.
const POINTS_PER_EPOCH: usize = 5;

/// Largest number of consecutive skipped steps. After that many, the weights are unlikely to recover.
const MOST_SKIPPED: usize = 100;

impl<B: AutodiffBackend> TrainingLoop<'_, B> {
    /// Trains on one batch.
    pub(super) fn step(
        &mut self,
        batch: HostBatch,
        times: &mut EpochTimes,
    ) -> Result<(), TrainError> {
        let begun = Instant::now();
        self.state.learning_rate = self.learner.steps.begin_step();
        if let Some(scale) = self.state.loss_scale {
            self.learner.steps.set_loss_scale(scale.factor());
        }
        let (answers, gradients) = self.gradients(batch)?;
        let score = answers.score();
        let checked = times.bookkeeping(|| self.check(score, &gradients))?;
        match &checked {
            Checked::Finite { .. } => self.update(gradients, score)?,
            Checked::Dropped => {
                self.state.skipped_steps += 1;
                self.state.skipped_in_a_row += 1;
            }
            Checked::Overflowed => self.state.skipped_steps += 1,
        }
        self.count(begun.elapsed(), score.images, times);
        let told = Instant::now();
        if let Checked::Finite { norm } = checked {
            self.watch(&answers, score, norm)?;
        }
        self.report(times)?;
        times.bookkeeping += told.elapsed();
        self.save_if_due()
    }

    /// Computes the answers and the gradients of a batch, in the recipe's micro-batches.
    fn gradients(&self, batch: HostBatch) -> Result<(Answers, GradientsParams), TrainError> {
        let Job { recipe, device, ranks, .. } = self.job;
        let steps = &self.learner.steps;
        let micro_batches = recipe.training.micro_batches;
        if !ranks.is_alone() {
            let own = steps.accumulated(&batch, ranks.share(), micro_batches, device)?;
            let network = (&steps.classifier(), recipe.model.freeze_blocks);
            return ranks.joined(own, batch.batch_len(), network, device);
        }
        if micro_batches > 1
            && let Some(sums) = steps.accumulated(&batch, Share::WHOLE, micro_batches, device)?
        {
            return Ok(sums);
        }
        Ok(steps.gradients(batch.to_device(device))?)
    }

    /// Checks loss and gradients for non-finite values before they change the weights.
    fn check(&mut self, score: Score, gradients: &GradientsParams) -> Result<Checked, TrainError> {
        let with_norm = Sentinel::wants_norm(self.state.total_steps);
        let classifier = self.learner.steps.classifier();
        let Gradients { non_finite, norm } =
            gradient_check::examine(&classifier, gradients, with_norm)?;
        if score.loss_sum.is_finite() && non_finite.is_none() {
            return Ok(Checked::Finite { norm });
        }
        if score.loss_sum.is_finite() && self.shrink_loss_scale()? {
            return Ok(Checked::Overflowed);
        }
        let TrainingState { epoch, step, skipped_in_a_row, learning_rate, .. } = self.state;
        let on_non_finite = self.job.recipe.training.on_non_finite;
        let skipped = on_non_finite == OnNonFinite::Skip && skipped_in_a_row < MOST_SKIPPED;
        self.log.event(Event::NonFinite {
            epoch,
            step: step + 1,
            loss: Some(score.loss()).filter(|loss| loss.is_finite()),
            layer: non_finite.clone(),
            learning_rate,
            skipped,
        })?;
        if skipped {
            return Ok(Checked::Dropped);
        }
        Err(TrainError::NonFinite {
            epoch,
            step: step + 1,
            loss: score.loss_sum,
            layer: non_finite,
            learning_rate,
            images: score.images,
            skipped: skipped_in_a_row,
        })
    }

    /// Halves the loss scale, if there is one above 1.
    fn shrink_loss_scale(&mut self) -> Result<bool, TrainError> {
        let TrainingState { epoch, step, ref mut loss_scale, .. } = self.state;
        let Some(scale) = loss_scale else { return Ok(false) };
        if !scale.shrink() {
            return Ok(false);
        }
        let factor = scale.factor();
        self.log.event(Event::LossScale { epoch, step: step + 1, factor })?;
        Ok(true)
    }

    /// Updates the weights and their average.
    fn update(&mut self, gradients: GradientsParams, score: Score) -> Result<(), TrainError> {
        self.learner.steps.update(gradients)?;
        if let Some(average) = &mut self.average {
            let updates = self.state.total_steps - self.state.skipped_steps;
            average.update(self.learner.steps.classifier().valid().network(), updates);
        }
        self.state.score.add(score);
        self.state.skipped_in_a_row = 0;
        if let Some(scale) = &mut self.state.loss_scale {
            scale.step();
        }
        Ok(())
    }

    fn count(&mut self, elapsed: Duration, images: usize, times: &mut EpochTimes) {
        times.add_step(elapsed, images);
        self.evaluated = None;
        self.state.step_secs += elapsed.as_secs_f64();
        self.state.step_images += images;
        self.state.step += 1;
        self.state.total_steps += 1;
    }

    /// Passes the step to the sentinel and logs its alarms.
    fn watch(
        &mut self,
        answers: &Answers,
        score: Score,
        gradient_norm: Option<f64>,
    ) -> Result<(), TrainError> {
        let seen = Observation::of(answers, score.loss(), gradient_norm);
        let TrainingState { epoch, step, total_steps, .. } = self.state;
        let place = (epoch, step, total_steps);
        for alarm in self.sentinel.observe(&mut self.state.sentinel, place, &seen) {
            self.log.event(Event::Alarm(alarm))?;
        }
        Ok(())
    }

    /// Reports the step to the observer, and logs it if it is a point of the learning curves.
    fn report(&mut self, times: &EpochTimes) -> Result<(), TrainError> {
        let steps_per_epoch = self.steps_per_epoch();
        let TrainingState { epoch, step, total_steps, learning_rate, ref score, .. } = self.state;
        let total = steps_per_epoch * self.job.recipe.training.epochs;
        let report = StepReport {
            epoch,
            step,
            steps_per_epoch,
            train_loss: score.loss(),
            train_accuracy: score.accuracy(),
            learning_rate,
            images_per_sec: times.images_per_sec(),
            secs_left: times.secs_left(total.saturating_sub(total_steps)),
        };
        self.log.progress(&Progress::Training(report.clone()));
        let is_point = step.is_multiple_of((steps_per_epoch / POINTS_PER_EPOCH).max(1));
        if is_point || step == steps_per_epoch {
            self.log.event(Event::Step(report))?;
        }
        Ok(())
    }

    /// Saves within an epoch if `checkpoint.every_steps` or the retry of a failed save is due.
    fn save_if_due(&mut self) -> Result<(), TrainError> {
        let every = self.job.recipe.checkpoint.every_steps;
        let is_due = every.is_some_and(|every| self.state.total_steps.is_multiple_of(every));
        let is_last = self.state.step == self.steps_per_epoch();
        if !is_last && (is_due || self.saving.is_due_again()) {
            self.save()?;
        }
        Ok(())
    }
}

/// The result of the check of a step.
enum Checked {
    /// All values are finite. `norm` is the global norm, if the sentinel needs it.
    Finite { norm: Option<f64> },
    /// A value is not finite. The step is skipped.
    Dropped,
    /// A gradient of f16 is too large. The step is skipped, and the loss scale is halved.
    Overflowed,
}
