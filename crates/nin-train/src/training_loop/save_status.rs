//! What of a training is saved.

use std::time::{Duration, Instant};

use crate::TrainError;
use crate::error::one_line;

/// How long after a failed save the next attempt is due.
const RETRY: Duration = Duration::from_secs(30);

/// What is saved, and whether the last attempt to save failed.
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
    /// Starts with a state that a checkpoint holds, by its epoch and total steps.
    pub(super) fn after(saved: Option<(usize, usize)>) -> Self {
        Self { saved, failed: None }
    }

    /// Whether the state of this epoch and total number of steps is saved.
    pub(super) fn has(&self, epoch: usize, total_steps: usize) -> bool {
        self.saved == Some((epoch, total_steps))
    }

    /// Whether nothing is saved yet.
    pub(super) fn has_none(&self) -> bool {
        self.saved.is_none()
    }

    /// Takes note of a saved state.
    pub(super) fn succeeded(&mut self, epoch: usize, total_steps: usize) {
        self.saved = Some((epoch, total_steps));
        self.failed = None;
    }

    /// Takes note that there was no room. Returns a warning the first time.
    pub(super) fn failed(&mut self, error: TrainError) -> Option<String> {
        let first = self.failed.is_none();
        let message =
            format!("{}; the training continues, and saves when there is room", one_line(&error));
        self.failed = Some(Failed { error, again_at: Instant::now() + RETRY });
        first.then_some(message)
    }

    /// Whether the last attempt failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failed.is_some()
    }

    /// Whether the last attempt failed for lack of room, which may come yet; a limit on the size of files stays.
    pub(super) fn is_waiting_for_room(&self) -> bool {
        self.failed.as_ref().is_some_and(|failed| !failed.error.is_file_too_large())
    }

    /// Whether the last attempt failed long enough ago to try again.
    pub(super) fn is_due_again(&self) -> bool {
        self.failed.as_ref().is_some_and(|failed| Instant::now() >= failed.again_at)
    }

    /// Returns the last failure, if nothing was saved since.
    pub(super) fn into_failure(self) -> Option<TrainError> {
        self.failed.map(|failed| failed.error)
    }
}
