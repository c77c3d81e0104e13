//! Tracks which state is saved, and whether saving fails.

use std::time::{Duration, Instant};

use crate::TrainError;
use crate::error::one_line;

/// Delay before the next try after a failed save.
const RETRY: Duration = Duration::from_secs(30);

/// The last saved state, and the failure of the last save.
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// Epoch and total steps of the last saved state.
    saved: Option<(usize, usize)>,
    failed: Option<Failed>,
}

#[derive(Debug)]
struct Failed {
    error: TrainError,
    again_at: Instant,
}

impl Saving {
    /// Starts with the state of a checkpoint, by its epoch and total steps.
    pub(super) fn after(saved: Option<(usize, usize)>) -> Self {
        Self { saved, failed: None }
    }

    /// Returns whether the state of this epoch and total number of steps is saved.
    pub(super) fn has(&self, epoch: usize, total_steps: usize) -> bool {
        self.saved == Some((epoch, total_steps))
    }

    /// Returns whether nothing is saved yet.
    pub(super) fn has_none(&self) -> bool {
        self.saved.is_none()
    }

    /// Records a saved state.
    pub(super) fn succeeded(&mut self, epoch: usize, total_steps: usize) {
        self.saved = Some((epoch, total_steps));
        self.failed = None;
    }

    /// Records that the disk is full. Returns a warning the first time.
    pub(super) fn failed(&mut self, error: TrainError) -> Option<String> {
        let first = self.failed.is_none();
        let message =
            format!("{}; the training continues, and saves when there is room", one_line(&error));
        self.failed = Some(Failed { error, again_at: Instant::now() + RETRY });
        first.then_some(message)
    }

    /// Returns whether the last save failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failed.is_some()
    }

    /// Returns whether the last save failed because the disk is full. That may change; a file size limit does not.
    pub(super) fn is_waiting_for_room(&self) -> bool {
        self.failed.as_ref().is_some_and(|failed| !failed.error.is_file_too_large())
    }

    /// Returns whether the last save failed long enough ago to try again.
    pub(super) fn is_due_again(&self) -> bool {
        self.failed.as_ref().is_some_and(|failed| Instant::now() >= failed.again_at)
    }

    /// Returns the failure of the last save, if it failed.
    pub(super) fn into_failure(self) -> Option<TrainError> {
        self.failed.map(|failed| failed.error)
    }
}
