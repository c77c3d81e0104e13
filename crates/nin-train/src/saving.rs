//! When the state of a run is saved, and what becomes of it on a full disk: the training goes on,
//! and saves when there is room again.

use std::time::{Duration, Instant};

use crate::TrainError;

/// On a full disk a save is tried again after this, besides whenever one is due.
const RETRY: Duration = Duration::from_secs(30);

/// At the end of a training on a full disk, how long room is waited for, and how long in between.
pub(crate) const LAST_WAIT: Duration = Duration::from_mins(1);
pub(crate) const LAST_PAUSE: Duration = Duration::from_millis(500);

/// What the last attempt to save came to.
#[derive(Debug, Default)]
pub(crate) struct Saving {
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
    /// Whether the state of this epoch, after so many steps in all, is on the disk.
    pub(crate) fn has(&self, epoch: usize, total_steps: usize) -> bool {
        self.saved == Some((epoch, total_steps))
    }

    /// That it is.
    pub(crate) fn succeeded(&mut self, epoch: usize, total_steps: usize) {
        self.saved = Some((epoch, total_steps));
        self.failed = None;
    }

    /// That there was no room; gives what is to be said, the first time.
    pub(crate) fn failed(&mut self, error: TrainError) -> Option<String> {
        let first = self.failed.is_none();
        let message = format!("{error}; the training goes on, and saves when there is room");
        self.failed = Some(Failed { error, again_at: Instant::now() + RETRY });
        first.then_some(message)
    }

    /// Whether the last attempt failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failed.is_some()
    }

    /// Whether it failed a while ago.
    pub(crate) fn is_due_again(&self) -> bool {
        self.failed.as_ref().is_some_and(|failed| Instant::now() >= failed.again_at)
    }

    /// The last failure, if nothing was saved since.
    pub(crate) fn into_failure(self) -> Option<TrainError> {
        self.failed.map(|failed| failed.error)
    }
}
