//! Writes checkpoints. On a full disk the training continues, and saves when there is room again.

use std::time::{Duration, Instant};

use burn::tensor::backend::AutodiffBackend;

use super::state::TrainingLoop;
use crate::checkpoint::{Checkpoint, TrainingState, clear_earlier, prune};
use crate::error::one_line;
use crate::events::Event;
use crate::{TrainError, averaging};

/// How long a training that ends on a full disk waits for space, and the pause between tries.
const LAST_WAIT: Duration = Duration::from_mins(1);
const LAST_PAUSE: Duration = Duration::from_millis(500);

impl<B: AutodiffBackend> TrainingLoop<'_, B> {
    /// Saves the current state, if this is the root. On a full disk, warns instead of failing.
    pub(super) fn save(&mut self) -> Result<(), TrainError> {
        let TrainingState { epoch, total_steps, .. } = self.state;
        if self.saving.has(epoch, total_steps) {
            return Ok(());
        }
        if !self.job.ranks.is_root() {
            self.saving.succeeded(epoch, total_steps);
            return Ok(());
        }
        let keep = self.job.recipe.checkpoint.keep;
        let mut result = self.write_checkpoint();
        if keep.is_some_and(|keep| keep > 1) && result.as_ref().is_err_and(TrainError::is_disk_full)
        {
            // Removing old checkpoints may free enough space for the new one.
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
                    // The previous attempt is not needed any longer.
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

    /// Removes old checkpoints. Warns instead of failing: leftover checkpoints only take space.
    fn prune(&mut self, keep: usize) -> Result<(), TrainError> {
        match prune(&self.job.run, keep) {
            Ok(()) => Ok(()),
            Err(error @ TrainError::RunMoved { .. }) => Err(error),
            Err(error) => self.log.warn(one_line(&error)),
        }
    }

    fn write_checkpoint(&mut self) -> Result<String, TrainError> {
        // The log first: the checkpoint holds its length.
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

    /// Waits for a while until the last state can be saved.
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
