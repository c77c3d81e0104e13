//! Measures the parts of an epoch.

use std::time::{Duration, Instant};

/// The times of an epoch.
pub(super) struct EpochTimes {
    pub(super) begun: Instant,
    /// Total duration of the training steps, without loading batches.
    pub(super) steps: Duration,
    /// Total duration of checks, sentinel, log and progress. Only the checks are part of `steps`.
    pub(super) bookkeeping: Duration,
    pub(super) count: usize,
    pub(super) images: usize,
}

impl EpochTimes {
    pub(super) fn start() -> Self {
        let begun = Instant::now();
        Self { begun, steps: Duration::ZERO, bookkeeping: Duration::ZERO, count: 0, images: 0 }
    }

    /// Runs `work` and adds its time to the bookkeeping.
    pub(super) fn bookkeeping<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = work();
        self.bookkeeping += begun.elapsed();
        result
    }

    /// Adds a step.
    pub(super) fn add_step(&mut self, elapsed: Duration, images: usize) {
        self.steps += elapsed;
        self.count += 1;
        self.images += images;
    }

    /// Returns the images per second over the steps so far.
    pub(super) fn images_per_sec(&self) -> f64 {
        rate(self.images, self.steps.as_secs_f64())
    }

    /// Returns the estimated seconds for this many more steps, at the pace of this epoch.
    pub(super) fn secs_left(&self, steps: usize) -> f64 {
        steps as f64 * self.begun.elapsed().as_secs_f64() / self.count.max(1) as f64
    }
}

/// Returns images per second; 0 for a duration of 0.
pub(super) fn rate(images: usize, secs: f64) -> f64 {
    if secs > 0.0 { images as f64 / secs } else { 0.0 }
}
