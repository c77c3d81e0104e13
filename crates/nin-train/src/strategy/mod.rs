//! The training loop: Burn's `Learner` steps; order, seeding, checkpoints and reporting are ours.

mod saving;
mod testing;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use burn::train::metric::store::EventStoreClient;
use burn::train::{
    Interrupter, Learner, LearningComponentsMarker, SupervisedLearningStrategy,
    SupervisedTrainingEventProcessor, TrainLoader, TrainingComponents, ValidLoader,
};
use nin_data::{OrderedLoader, Part};
use nin_model::{ModelMetadata, Weights};

use self::saving::Saving;
use self::testing::FinalTest;
use crate::TrainError;
use crate::attempt::MOST_ATTEMPTS;
use crate::averaging::Average;
use crate::checkpoint::TrainingState;
use crate::classifier::Classifier;
use crate::clipping;
use crate::events::{Ending, EpochReport, Event, Progress, StepReport};
use crate::finite::{self, Gradients};
use crate::folder::RunFolder;
use crate::metrics_log::MetricsLog;
use crate::optimizer::RunOptimizer;
use crate::recipe::{OnCollapse, OnNonFinite, Recipe};
use crate::schedule::Schedule;
use crate::score::{Answers, Score};
use crate::selection::Figures;
use crate::sentinel::{Observation, Sentinel};
use crate::summary::{Summary, SummaryOf};

/// What Burn's learner is made of in this project.
pub type Components<B> =
    LearningComponentsMarker<B, Schedule, Classifier<B>, RunOptimizer<Classifier<B>, B>>;

/// How often within an epoch the curves get a point, as in the book.
const POINTS_PER_EPOCH: usize = 5;

/// So many steps in a row may be dropped: a network that gives no numbers any more learns nothing.
const MOST_SKIPPED: usize = 100;

/// What a training of ours needs beside Burn's own components.
pub(crate) struct RunStrategy<B: AutodiffBackend> {
    pub(crate) shared: Arc<Shared<B>>,
}

/// Shared with whoever launched the training: the strategy is behind a pointer of Burn's there.
pub(crate) struct Shared<B: AutodiffBackend> {
    pub(crate) recipe: Recipe,
    pub(crate) run: RunFolder,
    pub(crate) metadata: ModelMetadata,
    /// The loader that Burn hands back as a trait object, on which the epoch is chosen.
    pub(crate) train_loader: Arc<OrderedLoader<B>>,
    /// What is evaluated after each epoch.
    pub(crate) eval_loader: Arc<OrderedLoader<B::InnerBackend>>,
    /// What the best checkpoint is tested on at the end, where it was not chosen by that.
    pub(crate) test_loader: Option<OrderedLoader<B::InnerBackend>>,
    /// The part that is evaluated after each epoch.
    pub(crate) evaluated_on: Part,
    pub(crate) bad_pictures: usize,
    pub(crate) start: Mutex<TrainingState>,
    /// Epoch and steps in all of the checkpoint that it goes on from, which is not written again.
    pub(crate) saved: Option<(usize, usize)>,
    /// Where the average of the weights begins, if there is one.
    pub(crate) average: Option<Weights>,
    pub(crate) device: B::Device,
    pub(crate) log: Mutex<Option<MetricsLog>>,
    pub(crate) outcome: Mutex<Option<Result<Outcome, TrainError>>>,
}

/// What a training came to.
pub(crate) enum Outcome {
    /// It ended.
    Ended(Summary),
    /// The sentinel gave it up, and it is to begin again; the log goes on.
    Restart {
        /// The log.
        log: MetricsLog,
        /// The epoch in which it was given up, counted from 1.
        epoch: usize,
        /// Steps of that epoch.
        step: usize,
    },
}

impl<B: AutodiffBackend> SupervisedLearningStrategy<Components<B>> for RunStrategy<B> {
    fn fit(
        &self,
        components: TrainingComponents<Components<B>>,
        mut learner: Learner<Components<B>>,
        train_loader: TrainLoader<Components<B>>,
        _eval_loader: ValidLoader<Components<B>>,
        _starting_epoch: usize,
    ) -> (Classifier<B>, SupervisedTrainingEventProcessor<Components<B>>) {
        let shared = &self.shared;
        let log = shared.log.lock().unwrap_or_else(PoisonError::into_inner).take();
        let outcome = match log {
            None => Err(TrainError::NoOutcome),
            Some(log) => Training {
                shared,
                learner: &mut learner,
                train_loader: &train_loader,
                interrupter: &components.interrupter,
                store: &components.event_store,
                state: shared.start.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                log,
                sentinel: Sentinel::new(
                    shared.metadata.classes.clone(),
                    shared.train_loader.steps_per_epoch(),
                ),
                average: shared.average.as_ref().map(|weights| {
                    Average::at(weights, shared.recipe.training.ema_decay, &shared.device)
                        .with_frozen_blocks(shared.recipe.model.freeze_blocks)
                }),
                saving: Saving::after(shared.saved),
                tested: None,
                begun: Instant::now(),
            }
            .run(),
        };
        *shared.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        (learner.model(), components.event_processor)
    }
}

struct Training<'a, B: AutodiffBackend> {
    shared: &'a Shared<B>,
    learner: &'a mut Learner<Components<B>>,
    train_loader: &'a TrainLoader<Components<B>>,
    interrupter: &'a Interrupter,
    store: &'a EventStoreClient,
    state: TrainingState,
    log: MetricsLog,
    sentinel: Sentinel,
    average: Option<Average<B::InnerBackend>>,
    saving: Saving,
    /// The test figures of the weights as they are; `None` behind the first step of an epoch.
    tested: Option<Figures>,
    begun: Instant,
}

/// How an epoch ended.
enum Epoch {
    Done(EpochReport),
    Interrupted,
    GivenUp,
}

/// How long the parts of one epoch took.
struct EpochTimes {
    begun: Instant,
    steps: Duration,
    /// Of what every step does besides training.
    bookkeeping: Duration,
    count: usize,
    images: usize,
}

impl EpochTimes {
    fn new(begun: Instant) -> Self {
        Self { begun, steps: Duration::ZERO, bookkeeping: Duration::ZERO, count: 0, images: 0 }
    }
}

impl<B: AutodiffBackend> Training<'_, B> {
    fn run(mut self) -> Result<Outcome, TrainError> {
        let mut last_epoch = None;
        let ending = loop {
            if let Some(ending) = self.state.ending(&self.shared.recipe.training) {
                break ending;
            }
            if self.is_given_up() {
                if self.may_begin_again() {
                    let TrainingState { epoch, step, .. } = self.state;
                    return Ok(Outcome::Restart { log: self.log, epoch, step });
                }
                self.save()?;
                break Ending::Collapsed;
            }
            match self.epoch()? {
                Epoch::Done(report) => last_epoch = Some(report),
                Epoch::Interrupted => break Ending::Interrupted,
                Epoch::GivenUp => {}
            }
        };
        let mut ending = ending;
        if ending != Ending::Interrupted {
            self.wait_for_room()?;
        }
        let mut test = None;
        if matches!(ending, Ending::Finished | Ending::StoppedEarly) {
            match self.test_best()? {
                FinalTest::Done(report) => {
                    test = report;
                    // A run that was cut during its test ends as any other.
                    last_epoch = last_epoch.or_else(|| test.and(self.log.last_epoch()));
                }
                FinalTest::Interrupted => ending = Ending::Interrupted,
            }
        }
        if let Some(source) = std::mem::take(&mut self.saving).into_failure() {
            let path = self.shared.run.path().to_owned();
            return Err(TrainError::NotSaved { path, source: Box::new(source) });
        }
        self.log.event(Event::End { ending })?;
        self.log.finish()?;
        let of = SummaryOf {
            metadata: &self.shared.metadata,
            seed: self.shared.recipe.training.seed,
            evaluated_on: self.shared.evaluated_on,
            test,
            bad_pictures: self.shared.bad_pictures,
        };
        let elapsed = self.begun.elapsed();
        Ok(Outcome::Ended(Summary::new(&self.state, &of, last_epoch, ending, elapsed)))
    }

    /// Whether the recipe lets the sentinel end this run, and it has seen enough.
    fn is_given_up(&self) -> bool {
        let steps_per_epoch = self.shared.train_loader.steps_per_epoch();
        // An epoch that is trained to its end is tested first, interrupted there or not.
        self.shared.recipe.training.on_collapse != OnCollapse::Warn
            && self.state.step < steps_per_epoch
            && self.state.vitals.has_collapsed(steps_per_epoch)
    }

    fn may_begin_again(&self) -> bool {
        self.shared.recipe.training.on_collapse == OnCollapse::Restart
            && self.state.attempt < MOST_ATTEMPTS
    }

    /// Trains the epoch to its end and tests.
    fn epoch(&mut self) -> Result<Epoch, TrainError> {
        let begun = Instant::now();
        let mut times = EpochTimes::new(begun);
        let steps_per_epoch = self.shared.train_loader.steps_per_epoch();
        if self.state.step < steps_per_epoch {
            self.shared.train_loader.start_at(self.state.epoch, self.state.step);
            let mut batches = self.train_loader.iter();
            while self.state.step < steps_per_epoch {
                if self.interrupter.should_stop() {
                    drop(batches);
                    self.save()?;
                    return Ok(Epoch::Interrupted);
                }
                if self.is_given_up() {
                    return Ok(Epoch::GivenUp);
                }
                let Some(batch) = batches.next() else { break };
                self.step(batch, steps_per_epoch, &mut times)?;
            }
            drop(batches);
            if let Some(error) = self.shared.train_loader.take_failure() {
                // What was trained so far is not lost.
                self.save()?;
                return Err(error.into());
            }
        }
        let train_secs = begun.elapsed().as_secs_f64();
        match self.finish_epoch(&times, train_secs) {
            Ok(Some(report)) => Ok(Epoch::Done(report)),
            Ok(None) => {
                self.save()?;
                Ok(Epoch::Interrupted)
            }
            Err(error @ TrainError::Data(_)) => {
                // The epoch is trained: only its evaluation is missing.
                self.save()?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn step(
        &mut self,
        batch: nin_data::ImageBatch<B>,
        steps_per_epoch: usize,
        times: &mut EpochTimes,
    ) -> Result<(), TrainError> {
        let begun = Instant::now();
        self.learner.lr_step();
        self.state.learning_rate = self.learner.lr_current();
        let mut output = self.learner.train_step(batch);
        let answers = output.item.0?;
        let score = answers.score();
        let looks = Instant::now();
        let with_norm = Sentinel::wants_norm(self.state.total_steps);
        let gradients = finite::examine(&self.learner.model(), &output.grads, with_norm)?;
        let norm = gradients.norm;
        let taken = self.is_finite(score, gradients)?;
        times.bookkeeping += looks.elapsed();
        if taken {
            let clip_norm = self.shared.recipe.optimizer.clip_norm;
            if clip_norm > 0.0 {
                clipping::clip(&self.learner.model(), &mut output.grads, clip_norm)?;
            }
            self.learner.optimizer_step(output.grads);
            if let Some(average) = &mut self.average {
                let updates = self.state.total_steps - self.state.skipped_steps;
                average.update(self.learner.model().valid().network(), updates);
            }
            self.state.score.add(score);
            self.state.skipped_in_a_row = 0;
        } else {
            self.state.skipped_steps += 1;
            self.state.skipped_in_a_row += 1;
        }
        self.tested = None;

        let elapsed = begun.elapsed();
        times.steps += elapsed;
        times.count += 1;
        times.images += score.images;
        self.state.step_secs += elapsed.as_secs_f64();
        self.state.step_images += score.images;
        self.state.step += 1;
        self.state.total_steps += 1;
        let told = Instant::now();
        if taken {
            self.watch(&answers, score, norm)?;
        }

        let report = self.step_report(steps_per_epoch, times);
        self.log.progress(&Progress::Training(report.clone()));
        let is_last = self.state.step == steps_per_epoch;
        if is_last || self.state.step.is_multiple_of((steps_per_epoch / POINTS_PER_EPOCH).max(1)) {
            self.log.event(Event::Step(report))?;
        }
        times.bookkeeping += told.elapsed();
        let every = self.shared.recipe.checkpoint.every_steps;
        let is_due = every > 0 && self.state.total_steps.is_multiple_of(every);
        if !is_last && (is_due || self.saving.is_due_again()) {
            self.save()?;
        }
        Ok(())
    }

    /// Shows the step to the sentinel, and writes down what it names.
    fn watch(
        &mut self,
        answers: &Answers,
        score: Score,
        gradient_norm: Option<f64>,
    ) -> Result<(), TrainError> {
        let seen = Observation::of(answers, score.loss(), gradient_norm);
        let TrainingState { epoch, step, total_steps, .. } = self.state;
        let place = (epoch, step, total_steps);
        for alarm in self.sentinel.observe(&mut self.state.vitals, place, &seen) {
            self.log.event(Event::Alarm(alarm))?;
        }
        Ok(())
    }

    /// Whether the step may touch the weights; `false` where it is to be dropped.
    fn is_finite(&mut self, score: Score, gradients: Gradients) -> Result<bool, TrainError> {
        let layer = gradients.non_finite;
        if score.loss_sum.is_finite() && layer.is_none() {
            return Ok(true);
        }
        let TrainingState { epoch, step, skipped_in_a_row, learning_rate, .. } = self.state;
        let on_non_finite = self.shared.recipe.training.on_non_finite;
        let skipped = on_non_finite == OnNonFinite::Skip && skipped_in_a_row < MOST_SKIPPED;
        self.log.event(Event::NonFinite {
            epoch,
            step: step + 1,
            loss: Some(score.loss()).filter(|loss| loss.is_finite()),
            layer: layer.clone(),
            learning_rate,
            skipped,
        })?;
        if skipped {
            return Ok(false);
        }
        Err(TrainError::NonFinite {
            epoch,
            step: step + 1,
            loss: score.loss_sum,
            layer,
            learning_rate,
            images: score.images,
            skipped: skipped_in_a_row,
        })
    }

    fn step_report(&self, steps_per_epoch: usize, times: &EpochTimes) -> StepReport {
        StepReport {
            epoch: self.state.epoch,
            step: self.state.step,
            steps_per_epoch,
            train_loss: self.state.score.loss(),
            train_accuracy: self.state.score.accuracy(),
            learning_rate: self.state.learning_rate,
            images_per_sec: rate(times.images, times.steps.as_secs_f64()),
            secs_left: self.secs_left(steps_per_epoch, times),
        }
    }

    fn secs_left(&self, steps_per_epoch: usize, times: &EpochTimes) -> f64 {
        let total = steps_per_epoch * self.shared.recipe.training.epochs;
        let left = total.saturating_sub(self.state.total_steps);
        left as f64 * times.begun.elapsed().as_secs_f64() / times.count.max(1) as f64
    }
}

fn rate(images: usize, secs: f64) -> f64 {
    if secs > 0.0 { images as f64 / secs } else { 0.0 }
}
