//! When the state of a run is saved, and what becomes of it on a full disk: the training goes on,
//! and saves when there is room again.

use std::time::{Duration, Instant};

use burn::tensor::backend::AutodiffBackend;

use super::state::TrainingLoop;
use crate::checkpoint::{Checkpoint, TrainingState, clear_earlier, prune};
use crate::error::one_line;
use crate::events::Event;
use crate::{TrainError, averaging};

/// On a full disk a save is tried again after this, besides whenever one is due.
const RETRY: Duration = Duration::from_secs(30);

/// At the end of a training on a full disk, how long room is waited for, and how long in between.
const LAST_WAIT: Duration = Duration::from_mins(1);
const LAST_PAUSE: Duration = Duration::from_millis(500);

/// What the last attempt to save came to.
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// The epoch and the steps in all that were saved last.
    saved: Option<(usize, usize)>,
    failed: Option<Failed>,
}

#[derive(Debug)]
struct Failed {
    error: TrainError,
    again_at: Instant,
}

impl Saving {
    /// Where a training goes on: from this epoch and so many steps in all, `None` where from nothing.
    pub(super) fn after(saved: Option<(usize, usize)>) -> Self {
        Self { saved, failed: None }
    }

    /// Whether the state of this epoch, after so many steps in all, is on the disk.
    pub(super) fn has(&self, epoch: usize, total_steps: usize) -> bool {
        self.saved == Some((epoch, total_steps))
    }

    /// Whether nothing was saved yet.
    fn has_none(&self) -> bool {
        self.saved.is_none()
    }

    /// That it is.
    pub(super) fn succeeded(&mut self, epoch: usize, total_steps: usize) {
        self.saved = Some((epoch, total_steps));
        self.failed = None;
    }

    /// That there was no room; gives what is to be said, the first time.
    pub(super) fn failed(&mut self, error: TrainError) -> Option<String> {
        let first = self.failed.is_none();
        let message =
            format!("{}; the training goes on, and saves when there is room", one_line(&error));
        self.failed = Some(Failed { error, again_at: Instant::now() + RETRY });
        first.then_some(message)
    }

    /// Whether the last attempt failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failed.is_some()
    }

    /// Whether the last attempt failed for want of room, which may come yet; a limit on the size of files
    /// stays.
    fn is_waiting_for_room(&self) -> bool {
        self.failed.as_ref().is_some_and(|failed| !failed.error.is_file_too_large())
    }

    /// Whether it failed a while ago.
    pub(super) fn is_due_again(&self) -> bool {
        self.failed.as_ref().is_some_and(|failed| Instant::now() >= failed.again_at)
    }

    /// The last failure, if nothing was saved since.
    pub(super) fn into_failure(self) -> Option<TrainError> {
        self.failed.map(|failed| failed.error)
    }
}

impl<B: AutodiffBackend> TrainingLoop<'_, B> {
    /// Saves the state as it is. A full disk is no error: the training goes on without.
    pub(super) fn save(&mut self) -> Result<(), TrainError> {
        let TrainingState { epoch, total_steps, .. } = self.state;
        if self.saving.has(epoch, total_steps) {
            return Ok(());
        }
        let keep = self.job.recipe.checkpoint.keep;
        let mut result = self.write_checkpoint();
        if keep.is_some_and(|keep| keep > 1) && result.as_ref().is_err_and(TrainError::is_disk_full)
        {
            // Fewer old ones may make room for the new one.
            self.prune(1)?;
            result = self.write_checkpoint();
        }
        match result {
            Ok(name) => {
                if self.saving.is_failing() {
                    self.log.warn("there is room again: the state is saved".to_owned())?;
                }
                let is_first = self.saving.has_none();
                self.saving.succeeded(epoch, total_steps);
                self.log.event(Event::Checkpoint { name, total_steps })?;
                if is_first && self.state.attempt > 1 {
                    // From here on the attempt before is not needed.
                    clear_earlier(&self.job.run, self.state.attempt)?;
                }
                keep.map_or(Ok(()), |keep| self.prune(keep))
            }
            Err(error) if error.is_out_of_space() => match self.saving.failed(error) {
                Some(message) => self.log.warn(message),
                None => Ok(()),
            },
            Err(error) => Err(error),
        }
    }

    /// Old checkpoints that cannot be removed are in nobody's way but the disk's.
    fn prune(&mut self, keep: usize) -> Result<(), TrainError> {
        match prune(&self.job.run, keep) {
            Ok(()) => Ok(()),
            Err(error @ TrainError::RunMoved { .. }) => Err(error),
            Err(error) => self.log.warn(one_line(&error)),
        }
    }

    fn write_checkpoint(&mut self) -> Result<String, TrainError> {
        // The record first: a checkpoint that is there says how much of it there is.
        self.state.metrics_bytes = self.log.flush()?;
        self.state.metrics_sha256 = Some(self.log.sha256());
        let mut state = self.state.clone();
        let by = self.job.recipe.checkpoint.best_by;
        let best = self.evaluated.filter(|evaluated| {
            state.best_saved_figures().is_none_or(|best_saved| evaluated.is_better(&best_saved, by))
        });
        if let Some(best) = best {
            state.best_saved_accuracy = Some(best.accuracy);
            state.best_saved = Some(best);
        }
        let mut weights = self.learner.steps.classifier().network().to_weights()?;
        let mut optimizer = self.learner.optimizer_state()?;
        if let Some(average) = &self.average {
            averaging::add_trained(&weights, &mut optimizer);
            weights = average.weights()?;
        }
        let metadata = self.job.metadata.clone();
        let checkpoint = Checkpoint { metadata, weights, optimizer, state };
        let name = checkpoint.write(&self.job.run, best.is_some())?;
        self.state.best_saved_accuracy = checkpoint.state.best_saved_accuracy;
        self.state.best_saved = checkpoint.state.best_saved;
        Ok(name)
    }

    /// At the end, where the last state could not be saved: waits for room, for a while.
    pub(super) fn wait_for_room(&mut self) -> Result<(), TrainError> {
        let begun = Instant::now();
        while self.saving.is_waiting_for_room()
            && begun.elapsed() < LAST_WAIT
            && !self.job.interrupter.should_stop()
        {
            std::thread::sleep(LAST_PAUSE);
            self.save()?;
        }
        Ok(())
    }
}
