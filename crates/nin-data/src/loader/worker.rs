//! Data loader workers: threads that prepare batches ahead of time.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::plan::EpochPlan;
use crate::batch::HostBatch;
use crate::error::DataError;

/// A batch, or the error that stops the worker.
type Made = Result<HostBatch, DataError>;

/// The number of finished batches that a worker may queue, besides the one that it prepares.
const READY_PER_WORKER: usize = 2;

/// Bytes of a batch from which a worker queues none: it prepares one, and waits until it is taken. Preparing such a batch
/// takes far less time than training on it, and the queues would hold as much memory as the training.
const LARGE: usize = 8 << 20;

/// A thread that prepares every n-th batch.
#[derive(Debug)]
pub(super) struct Worker {
    ready: Option<Receiver<Made>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts `count` workers, but no more than there are batches left. Returns none if the system refuses a
    /// thread; the consumer then prepares each batch itself.
    pub(super) fn start(epoch: &Arc<EpochPlan>, first_step: usize, count: usize) -> Vec<Self> {
        let count = count.min(epoch.steps().saturating_sub(first_step));
        let queue = if epoch.batch_bytes() < LARGE { READY_PER_WORKER } else { 0 };
        let workers: io::Result<_> = (0..count)
            .map(|number| {
                let (sender, ready) = sync_channel(queue);
                let epoch = Arc::clone(epoch);
                let steps = (first_step + number..epoch.steps()).step_by(count);
                let thread = std::thread::Builder::new()
                    .name(format!("loader-{number}"))
                    .spawn(move || Self::work(&epoch, steps, &sender))?;
                Ok(Self { ready: Some(ready), thread: Some(thread) })
            })
            .collect();
        workers.unwrap_or_default()
    }

    fn work(epoch: &EpochPlan, steps: impl Iterator<Item = usize>, ready: &SyncSender<Made>) {
        for step in steps {
            let batch = epoch.batch(step);
            let is_last = batch.is_err();
            if ready.send(batch).is_err() || is_last {
                return;
            }
        }
    }

    /// Takes the next batch of the worker. Propagates a panic of the worker, so that no batch is skipped.
    pub(super) fn take(&mut self) -> Made {
        if let Some(batch) = self.ready.as_ref().and_then(|ready| ready.recv().ok()) {
            return batch;
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            _ => unreachable!("a worker sends each of its batches"),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.ready = None; // unblocks a worker that is waiting to send
        if let Some(thread) = self.thread.take() {
            // The consumer has already seen a panic, or no longer needs the batch.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::loader::transform::BatchTransform;
    use crate::{ImageDataset, Images, Share};

    /// An epoch with a batch size of 1 whose third image does not exist.
    fn broken_epoch() -> Arc<EpochPlan> {
        let images = Images { count: 5, channels: 1, height: 1, width: 1, pixels: vec![0; 5] };
        Arc::new(EpochPlan {
            dataset: ImageDataset::new(images, vec![0; 5]).unwrap(),
            order: vec![0, 1, 99, 3, 4],
            batch_size: 1,
            transform: BatchTransform::new([1, 1]),
            augmented: None,
            mixed: None,
            corruption: None,
            number: 1,
            share: Share::WHOLE,
        })
    }

    #[test]
    fn a_worker_error_reaches_the_consumer() {
        for count in [1, 2, 5, 9] {
            let epoch = broken_epoch();
            let mut workers = Worker::start(&epoch, 0, count);
            let count = workers.len();
            assert_eq!(workers[0].take().unwrap(), epoch.batch(0).unwrap());
            assert_eq!(workers[1 % count].take().unwrap(), epoch.batch(1).unwrap());
            // The error also arrives after the worker has finished.
            while workers[2 % count].thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
                std::thread::yield_now();
            }
            let error = workers[2 % count].take().unwrap_err();
            assert!(matches!(error, DataError::NoImage { index: 99, count: 5 }), "{error}");
        }
    }

    #[test]
    fn a_worker_panic_reaches_the_consumer() {
        let mut epoch = broken_epoch();
        Arc::get_mut(&mut epoch).unwrap().batch_size = 2;
        Arc::get_mut(&mut epoch).unwrap().order = vec![0, 1, 2];
        let mut workers = Worker::start(&epoch, 0, 1);
        let thread = std::thread::spawn(|| panic!("a planted panic"));
        while !thread.is_finished() {
            std::thread::yield_now();
        }
        workers[0].ready = None;
        workers[0].thread = Some(thread);
        let panic = catch_unwind(AssertUnwindSafe(|| workers[0].take())).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"a planted panic"));
    }

    #[test]
    fn there_are_no_more_workers_than_batches() {
        let epoch = broken_epoch();
        for (first_step, expected) in [(0, 5), (3, 2), (5, 0), (9, 0)] {
            assert_eq!(Worker::start(&epoch, first_step, 1000).len(), expected);
        }
    }
}
