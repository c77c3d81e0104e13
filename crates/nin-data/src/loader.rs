//! The loader: ordered batches whatever the number of workers, an order that is a function of seed
//! and epoch, and nothing dropped.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::tensor::backend::Backend;
use nin_random::{Purpose, Stream};

use crate::batch::HostBatch;
use crate::{IdxDataset, ImageBatch, ImageBatcher};

/// Batches that each worker may have ready and not yet taken.
const READY_PER_WORKER: usize = 2;

/// Gives the batches of an epoch in order.
///
/// Each call of `iter` is the next epoch, unless [`OrderedLoader::start_at`] says which one.
#[derive(Debug)]
pub struct OrderedLoader<B: Backend> {
    dataset: IdxDataset,
    batch_size: usize,
    order: Order,
    batcher: ImageBatcher,
    size: [usize; 2],
    workers: usize,
    device: B::Device,
    next: Mutex<Position>,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    InOrder,
    Shuffled { seed: u64 },
}

#[derive(Debug, Clone, Copy)]
struct Position {
    epoch: usize,
    step: usize,
}

impl<B: Backend> OrderedLoader<B> {
    /// Batches in another order each epoch, for training.
    pub fn shuffled(dataset: IdxDataset, batch_size: usize, seed: u64, device: &B::Device) -> Self {
        Self::new(dataset, batch_size, Order::Shuffled { seed }, device)
    }

    /// Batches in the data set's order, for evaluation.
    pub fn in_order(dataset: IdxDataset, batch_size: usize, device: &B::Device) -> Self {
        Self::new(dataset, batch_size, Order::InOrder, device)
    }

    fn new(dataset: IdxDataset, batch_size: usize, order: Order, device: &B::Device) -> Self {
        let size = dataset.image_size();
        Self {
            batcher: ImageBatcher::new(size, size),
            dataset,
            batch_size: batch_size.max(1),
            order,
            size,
            workers: 0,
            device: device.clone(),
            next: Mutex::new(Position { epoch: 1, step: 0 }),
        }
    }

    /// Resizes images to `[height, width]`.
    #[must_use]
    pub fn with_size(self, size: [usize; 2]) -> Self {
        Self { batcher: ImageBatcher::new(self.dataset.image_size(), size), size, ..self }
    }

    /// Prepares batches in so many threads beside the consumer's; 0 prepares them when asked.
    #[must_use]
    pub fn with_workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// Batches of an epoch; the last one may be short.
    pub fn steps_per_epoch(&self) -> usize {
        self.dataset.len().div_ceil(self.batch_size)
    }

    /// The next `iter` begins in this epoch, counted from 1, at this batch, counted from 0.
    pub fn start_at(&self, epoch: usize, step: usize) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Position { epoch, step };
    }

    /// The images' positions in the order of an epoch.
    fn order_of(&self, epoch: usize) -> Vec<usize> {
        match self.order {
            Order::InOrder => (0..self.dataset.len()).collect(),
            Order::Shuffled { seed } => {
                Stream::new(seed, Purpose::Order, [epoch as u64, 0]).permutation(self.dataset.len())
            }
        }
    }

    fn take_position(&self) -> Position {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let position = *next;
        *next = Position { epoch: position.epoch + 1, step: 0 };
        position
    }

    fn derived(&self, dataset: IdxDataset, device: &B::Device) -> Self {
        Self {
            dataset,
            batcher: self.batcher.clone(),
            device: device.clone(),
            next: Mutex::new(*self.next.lock().unwrap_or_else(PoisonError::into_inner)),
            ..*self
        }
    }
}

impl<B: Backend> DataLoader<B, ImageBatch<B>> for OrderedLoader<B> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<ImageBatch<B>> + 'a> {
        let Position { epoch, step } = self.take_position();
        let epoch = Arc::new(Epoch {
            dataset: self.dataset.clone(),
            order: self.order_of(epoch),
            batch_size: self.batch_size,
            batcher: self.batcher.clone(),
            size: self.size,
            number: epoch,
        });
        Box::new(Batches::<B> {
            workers: Worker::start(&epoch, step, self.workers),
            epoch,
            step,
            first_step: step,
            device: &self.device,
        })
    }

    fn num_items(&self) -> usize {
        self.dataset.len()
    }

    fn to_device(&self, device: &B::Device) -> Arc<dyn DataLoader<B, ImageBatch<B>>> {
        Arc::new(self.derived(self.dataset.clone(), device))
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<B, ImageBatch<B>>> {
        Arc::new(self.derived(self.dataset.part(start..end), &self.device))
    }
}

/// One epoch's batches, as pure data.
struct Epoch {
    dataset: IdxDataset,
    order: Vec<usize>,
    batch_size: usize,
    batcher: ImageBatcher,
    size: [usize; 2],
    number: usize,
}

impl Epoch {
    fn steps(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    fn batch(&self, step: usize) -> HostBatch {
        let start = step * self.batch_size;
        let indices = &self.order[start..self.order.len().min(start + self.batch_size)];
        let images = || indices.iter().filter_map(|&index| self.dataset.image(index));
        HostBatch {
            values: self.batcher.values(images().map(|(pixels, _)| pixels)),
            size: self.size,
            labels: images().map(|(_, label)| usize::from(label)).collect(),
            indices: indices.to_vec(),
            epoch: self.number,
            step,
        }
    }
}

/// A thread that prepares every n-th batch.
struct Worker {
    ready: Option<Receiver<HostBatch>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn start(epoch: &Arc<Epoch>, first_step: usize, count: usize) -> Vec<Self> {
        (0..count)
            .map(|number| {
                let (sender, ready) = sync_channel(READY_PER_WORKER);
                let epoch = Arc::clone(epoch);
                let steps = (first_step + number..epoch.steps()).step_by(count);
                let thread = std::thread::spawn(move || Self::work(&epoch, steps, &sender));
                Self { ready: Some(ready), thread: Some(thread) }
            })
            .collect()
    }

    fn work(epoch: &Epoch, steps: impl Iterator<Item = usize>, ready: &SyncSender<HostBatch>) {
        for step in steps {
            if ready.send(epoch.batch(step)).is_err() {
                return; // nobody waits for more
            }
        }
    }

    /// The worker's next batch. Where it panicked, so does its consumer: no batch is left out.
    fn take(&mut self) -> HostBatch {
        let batch = self.ready.as_ref().and_then(|ready| ready.recv().ok());
        match (batch, self.thread.take_if(|thread| thread.is_finished())) {
            (Some(batch), _) => batch,
            (None, thread) => match thread.or(self.thread.take()).map(JoinHandle::join) {
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                _ => unreachable!("a worker sends every batch of its own"),
            },
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.ready = None; // wakes a worker that waits to send
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, was either seen by the consumer or no longer matters.
            let _ = thread.join();
        }
    }
}

struct Batches<'a, B: Backend> {
    epoch: Arc<Epoch>,
    workers: Vec<Worker>,
    first_step: usize,
    step: usize,
    device: &'a B::Device,
}

impl<B: Backend> Iterator for Batches<'_, B> {
    type Item = ImageBatch<B>;

    fn next(&mut self) -> Option<ImageBatch<B>> {
        if self.step >= self.epoch.steps() {
            return None;
        }
        let batch = match self.workers.len() {
            0 => self.epoch.batch(self.step),
            count => self.workers[(self.step - self.first_step) % count].take(),
        };
        self.step += 1;
        // In the consumer's thread: tensors made in others leak a GPU's pools.
        Some(batch.to_device(self.device))
    }
}

impl<B: Backend> DataLoaderIterator<ImageBatch<B>> for Batches<'_, B> {
    fn progress(&self) -> Progress {
        let items = self.epoch.order.len();
        Progress::new((self.step * self.epoch.batch_size).min(items), items)
    }
}
