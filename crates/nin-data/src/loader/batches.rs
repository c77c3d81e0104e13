//! The batches of one epoch, on a device.

use std::sync::Arc;

use burn::tensor::backend::Backend;

use super::plan::EpochPlan;
use super::worker::Worker;
use crate::batch::{HostBatch, ImageBatch};
use crate::error::DataError;

/// An iterator over the batches of an epoch. It ends after an error, such as a picture's file that is gone.
#[derive(Debug)]
pub struct EpochBatches<'a, B: Backend> {
    plan: Arc<EpochPlan>,
    workers: Vec<Worker>,
    first_step: usize,
    step: usize,
    device: &'a B::Device,
}

impl<'a, B: Backend> EpochBatches<'a, B> {
    pub(super) fn start(
        plan: EpochPlan,
        first_step: usize,
        workers: usize,
        device: &'a B::Device,
    ) -> Self {
        let plan = Arc::new(plan);
        let workers = Worker::start(&plan, first_step, workers);
        Self { plan, workers, first_step, step: first_step, device }
    }

    /// Returns the next batch on the host; `None` at the end of the epoch.
    pub fn next_on_host(&mut self) -> Option<Result<HostBatch, DataError>> {
        if self.step >= self.plan.steps() {
            return None;
        }
        let batch = match self.workers.len() {
            0 => self.plan.batch(self.step),
            count => self.workers[(self.step - self.first_step) % count].take(),
        };
        self.step = if batch.is_ok() { self.step + 1 } else { self.plan.steps() };
        Some(batch)
    }

    /// Returns how many images the batches so far held, earlier steps of the epoch included, and how many the epoch
    /// has.
    pub(super) fn progress(&self) -> (usize, usize) {
        let images = self.plan.order.len();
        ((self.step * self.plan.batch_size).min(images), images)
    }
}

impl<B: Backend> Iterator for EpochBatches<'_, B> {
    type Item = Result<ImageBatch<B>, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_on_host()?;
        // In the consumer's thread: tensors made in others leak a GPU's pools.
        Some(batch.map(|batch| batch.to_device(self.device)))
    }
}
