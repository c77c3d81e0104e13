//! Runs the epochs of an attempt, and ends the training.

use burn::tensor::backend::AutodiffBackend;

use super::evaluation::FinalTest;
use super::state::TrainingLoop;
use super::times::EpochTimes;
use crate::TrainError;
use crate::attempt::MOST_ATTEMPTS;
use crate::checkpoint::TrainingState;
use crate::epoch_report::EpochReport;
use crate::events::{Ending, Event};
use crate::metrics_log::MetricsLog;
use crate::ranks::Turn;
use crate::recipe::OnCollapse;
use crate::summary::{Summary, SummaryOf};

/// How an attempt ended.
pub(crate) enum Outcome {
    /// The training is over.
    Ended(Summary),
    /// The sentinel gave up the attempt. The next one continues the same log.
    Restart {
        /// The log.
        log: MetricsLog,
        /// The epoch in which the attempt was given up, counted from 1.
        epoch: usize,
        /// Number of finished steps of that epoch.
        step: usize,
    },
}

/// How an epoch ended.
enum Epoch {
    Done(EpochReport),
    Interrupted,
    GivenUp,
}

impl<B: AutodiffBackend> TrainingLoop<'_, B> {
    /// Trains until the recipe's last epoch, an early stop, an interruption, or until the sentinel gives up.
    pub(crate) fn run(mut self) -> Result<Outcome, TrainError> {
        let mut last_epoch = None;
        let ending = loop {
            if let Some(ending) = self.state.ending(&self.job.recipe.training) {
                break ending;
            }
            if self.is_given_up() {
                if self.may_restart() {
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
        self.conclude(ending, last_epoch).map(Outcome::Ended)
    }

    /// Saves the last state, tests the best checkpoint, and closes the log.
    fn conclude(
        mut self,
        mut ending: Ending,
        mut last_epoch: Option<EpochReport>,
    ) -> Result<Summary, TrainError> {
        if ending != Ending::Interrupted {
            self.wait_for_room()?;
        }
        let mut test = None;
        if matches!(ending, Ending::Finished | Ending::StoppedEarly) {
            match self.test_best()? {
                FinalTest::Done(report) => {
                    test = report;
                    // If only the test was left, this process finished no epoch of its own.
                    last_epoch = last_epoch.or_else(|| test.and(self.log.last_epoch()));
                }
                FinalTest::Interrupted => ending = Ending::Interrupted,
            }
        }
        if let Some(source) = std::mem::take(&mut self.saving).into_failure() {
            let path = self.job.run.path().to_owned();
            return Err(TrainError::NotSaved { path, source: Box::new(source) });
        }
        self.log.event(Event::End { ending })?;
        self.log.finish()?;
        let of = SummaryOf {
            metadata: &self.job.metadata,
            seed: self.job.recipe.training.seed,
            evaluated_on: self.job.evaluated_on,
            test,
            bad_pictures: self.job.bad_pictures,
        };
        Ok(Summary::new(&self.state, &of, last_epoch, ending, self.begun.elapsed()))
    }

    pub(super) fn steps_per_epoch(&self) -> usize {
        self.job.loaders.train.steps_per_epoch()
    }

    /// Returns whether the recipe lets the sentinel end this attempt, and the sentinel gives it up.
    fn is_given_up(&self) -> bool {
        // A fully trained epoch is evaluated first.
        self.job.recipe.training.on_collapse != OnCollapse::Warn
            && self.state.step < self.steps_per_epoch()
            && self.state.sentinel.has_collapsed(self.steps_per_epoch())
    }

    fn may_restart(&self) -> bool {
        self.job.recipe.training.on_collapse == OnCollapse::Restart
            && self.state.attempt < MOST_ATTEMPTS
    }

    /// Trains the rest of an epoch, then evaluates.
    fn epoch(&mut self) -> Result<Epoch, TrainError> {
        let mut times = EpochTimes::start();
        if self.state.step < self.steps_per_epoch() {
            let job = self.job;
            let mut batches = job.loaders.train.epoch(self.state.epoch, self.state.step);
            while self.state.step < self.steps_per_epoch() {
                let is_given_up = self.is_given_up();
                let own = if job.interrupter.should_stop() {
                    Ok(Turn::Stop)
                } else if is_given_up {
                    Ok(Turn::Go(None))
                } else {
                    let batch = batches.next_on_host().transpose();
                    batch.map(Turn::Go).map_err(TrainError::from)
                };
                match job.ranks.agree(own) {
                    Ok(Turn::Go(Some(batch))) => self.step(batch, &mut times)?,
                    Ok(Turn::Go(None)) if is_given_up => return Ok(Epoch::GivenUp),
                    Ok(Turn::Go(None)) => break,
                    Ok(Turn::Stop) => {
                        drop(batches);
                        return self.interrupted();
                    }
                    Err(error) => {
                        // Keeps the steps so far.
                        self.save()?;
                        return Err(error);
                    }
                }
            }
        }
        match self.finish_epoch(&times) {
            Ok(Some(report)) => Ok(Epoch::Done(report)),
            Ok(None) => self.interrupted(),
            Err(error @ (TrainError::Data(_) | TrainError::OnRanks { .. })) => {
                // Keeps the trained epoch. Only its evaluation is missing.
                self.save()?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn interrupted(&mut self) -> Result<Epoch, TrainError> {
        self.save()?;
        Ok(Epoch::Interrupted)
    }
}
