//! How long the parts of an epoch take.

use std::time::{Duration, Instant};

/// The clock of one epoch.
pub(super) struct EpochTimes {
    pub(super) begun: Instant,
    /// Sum over the training steps, without the loading of batches.
    pub(super) steps: Duration,
    /// Of that, what every step does besides training.
    pub(super) bookkeeping: Duration,
    pub(super) count: usize,
    pub(super) images: usize,
}

impl EpochTimes {
    pub(super) fn start() -> Self {
        let begun = Instant::now();
        Self { begun, steps: Duration::ZERO, bookkeeping: Duration::ZERO, count: 0, images: 0 }
    }

    /// Runs `work` and counts its time as bookkeeping.
    pub(super) fn bookkeeping<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = work();
        self.bookkeeping += begun.elapsed();
        result
    }

    /// Counts a step.
    pub(super) fn add_step(&mut self, elapsed: Duration, images: usize) {
        self.steps += elapsed;
        self.count += 1;
        self.images += images;
    }

    /// Returns images per second of the steps so far.
    pub(super) fn images_per_sec(&self) -> f64 {
        rate(self.images, self.steps.as_secs_f64())
    }

    /// Returns the seconds that this many more steps take at the epoch's pace so far.
    pub(super) fn secs_left(&self, steps: usize) -> f64 {
        steps as f64 * self.begun.elapsed().as_secs_f64() / self.count.max(1) as f64
    }
}

/// Images per second; 0 for no time at all.
pub(super) fn rate(images: usize, secs: f64) -> f64 {
    if secs > 0.0 { images as f64 / secs } else { 0.0 }
}
