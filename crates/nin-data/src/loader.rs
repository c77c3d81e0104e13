//! The loader: ordered batches whatever the number of workers, an order that is a function of seed
//! and epoch, and nothing dropped.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::tensor::backend::Backend;
use nin_random::{Purpose, Stream};

use crate::batch::HostBatch;
use crate::{Augmentation, ImageBatch, ImageBatcher, ImageDataset, Mixing, Transform};

/// Batches that each worker may have ready and not yet taken.
const READY_PER_WORKER: usize = 2;

/// Gives the batches of an epoch in order; the last one may be short.
///
/// Each call of `iter` is the next epoch, unless [`OrderedLoader::start_at`] says which one. Order
/// and content of the batches, augmentation included, are a function of data set, batch size, seed
/// and epoch: workers only prepare them earlier, at most two each. Pixels are prepared on the host;
/// the tensor is made in the consumer's thread.
///
/// # Panics
/// The iterator, where one of its workers panicked.
///
/// ```
/// use burn::data::dataloader::DataLoader;
/// use burn_flex::{Flex, FlexDevice};
/// use nin_data::{DataSet, FASHION_MNIST_SAMPLE, Locations, OrderedLoader};
///
/// # fn main() -> Result<(), nin_data::DataError> {
/// let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default())?.limited(100);
/// let loader = OrderedLoader::<Flex>::shuffled(data.train, 32, 42, &FlexDevice).with_workers(2);
/// let sizes: Vec<usize> = loader.iter().map(|batch| batch.labels.len()).collect();
/// assert_eq!(sizes, [32, 32, 32, 4]);
///
/// loader.start_at(3, 2); // epoch 3, from its third batch on
/// let steps: Vec<_> = loader.iter().map(|batch| (batch.epoch, batch.step)).collect();
/// assert_eq!(steps, [(3, 2), (3, 3)]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct OrderedLoader<B: Backend> {
    dataset: ImageDataset,
    batch_size: usize,
    order: Order,
    batcher: ImageBatcher,
    workers: usize,
    device: B::Device,
    next: Mutex<Position>,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    InOrder,
    Shuffled { seed: u64, augmentation: Augmentation, mixing: Mixing },
}

#[derive(Debug, Clone, Copy)]
struct Position {
    epoch: usize,
    step: usize,
}

impl<B: Backend> OrderedLoader<B> {
    /// Batches in another order each epoch, for training; a batch size of 0 counts as 1.
    pub fn shuffled(
        dataset: ImageDataset,
        batch_size: usize,
        seed: u64,
        device: &B::Device,
    ) -> Self {
        let (augmentation, mixing) = (Augmentation::default(), Mixing::default());
        let order = Order::Shuffled { seed, augmentation, mixing };
        Self::new(dataset, batch_size, order, device)
    }

    /// Batches in the data set's order, for evaluation; a batch size of 0 counts as 1.
    pub fn in_order(dataset: ImageDataset, batch_size: usize, device: &B::Device) -> Self {
        Self::new(dataset, batch_size, Order::InOrder, device)
    }

    fn new(dataset: ImageDataset, batch_size: usize, order: Order, device: &B::Device) -> Self {
        let size = dataset.image_size();
        Self {
            batcher: ImageBatcher::new(size, size),
            dataset,
            batch_size: batch_size.max(1),
            order,
            workers: 0,
            device: device.clone(),
            next: Mutex::new(Position { epoch: 1, step: 0 }),
        }
    }

    /// Resizes images to `[height, width]`.
    #[must_use]
    pub fn with_size(self, size: [usize; 2]) -> Self {
        let transform = self.batcher.transform().clone();
        let batcher = ImageBatcher::new(self.dataset.image_size(), size);
        Self { batcher: batcher.with_transform(transform), ..self }
    }

    /// Transforms the values of each image. Augmentation comes before it, or, where a value depends on
    /// the other pixels of its image, behind it: then it moves by pixels of the resized image, and
    /// brings in 0.
    #[must_use]
    pub fn with_transform(self, transform: Transform) -> Self {
        Self { batcher: self.batcher.with_transform(transform), ..self }
    }

    /// Changes images as they are drawn for training; batches in order stay as they are.
    #[must_use]
    pub fn with_augmentation(mut self, changes: Augmentation) -> Self {
        if let Order::Shuffled { augmentation, .. } = &mut self.order {
            *augmentation = changes;
        }
        self
    }

    /// Mixes the images of each batch that is drawn for training, after everything else has become of
    /// them; batches in order stay as they are.
    #[must_use]
    pub fn with_mixing(mut self, asked: Mixing) -> Self {
        if let Order::Shuffled { mixing, .. } = &mut self.order {
            *mixing = asked;
        }
        self
    }

    /// The images at these positions, resized, not augmented: image after image, plane after plane,
    /// row after row. Positions beyond the last are left out.
    pub fn values(&self, indices: &[usize]) -> Vec<f32> {
        let mut bytes = self.batcher.room_for(indices.len() * self.dataset.channels());
        for (pixels, _) in indices.iter().filter_map(|&index| self.dataset.image(index)) {
            self.batcher.append(pixels, &mut bytes);
        }
        self.batcher.values(&bytes, self.dataset.channels())
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
            Order::Shuffled { seed, .. } => {
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

    fn derived(&self, dataset: ImageDataset, device: &B::Device) -> Self {
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
            augmented: match self.order {
                Order::InOrder => None,
                Order::Shuffled { seed, augmentation, .. } => {
                    (!augmentation.is_none()).then_some((augmentation, seed))
                }
            },
            mixed: match self.order {
                Order::InOrder => None,
                Order::Shuffled { seed, mixing, .. } => Some((mixing, seed)),
            },
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
    dataset: ImageDataset,
    order: Vec<usize>,
    batch_size: usize,
    batcher: ImageBatcher,
    /// How images are changed, and the seed of it.
    augmented: Option<(Augmentation, u64)>,
    /// How they are mixed with each other, and the seed of it.
    mixed: Option<(Mixing, u64)>,
    number: usize,
}

impl Epoch {
    fn steps(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    fn batch(&self, step: usize) -> HostBatch {
        let start = step * self.batch_size;
        let indices = &self.order[start..self.order.len().min(start + self.batch_size)];
        let channels = self.dataset.channels();
        let behind = self.batcher.transform().mixes_pixels();
        let mut bytes = self.batcher.room_for(indices.len() * channels);
        let mut changed = Vec::new();
        for &index in indices {
            let (mut pixels, _) = self.image(index);
            if let Some((augmentation, seed)) = self.augmented.as_ref().filter(|_| !behind) {
                let size = self.dataset.image_size();
                augmentation.apply(pixels, size, *seed, [self.number, index], &mut changed);
                pixels = &changed;
            }
            self.batcher.append(pixels, &mut bytes);
        }
        let mut values = self.batcher.values(&bytes, channels);
        if let Some((augmentation, seed)) = self.augmented.as_ref().filter(|_| behind) {
            let size = self.batcher.size();
            let images = values.chunks_exact_mut(channels * size[0] * size[1]);
            let mut changed = Vec::new();
            for (image, &index) in images.zip(indices) {
                let place = [self.number, index];
                augmentation.apply_to_values(image, size, *seed, place, &mut changed);
                image.copy_from_slice(&changed);
            }
        }
        let size = self.batcher.size();
        let mut labels =
            indices.iter().map(|&index| usize::from(self.image(index).1)).collect::<Vec<_>>();
        let second = self.mixed.as_ref().and_then(|(mixing, seed)| {
            mixing.apply(&mut values, size, &mut labels, *seed, [self.number, step])
        });
        HostBatch {
            values,
            channels,
            size,
            labels,
            second,
            indices: indices.to_vec(),
            epoch: self.number,
            step,
        }
    }

    fn image(&self, index: usize) -> (&[u8], u8) {
        self.dataset.image(index).unwrap_or_else(|| {
            unreachable!("image {index} of {} is in no epoch", self.dataset.len())
        })
    }
}

/// A thread that prepares every n-th batch.
#[derive(Debug)]
struct Worker {
    ready: Option<Receiver<HostBatch>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// So many workers, or as many as there are batches left; none where the system refuses a
    /// thread, and then the consumer prepares each batch itself.
    fn start(epoch: &Arc<Epoch>, first_step: usize, count: usize) -> Vec<Self> {
        let count = count.min(epoch.steps().saturating_sub(first_step));
        let workers: io::Result<_> = (0..count)
            .map(|number| {
                let (sender, ready) = sync_channel(READY_PER_WORKER);
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

    fn work(epoch: &Epoch, steps: impl Iterator<Item = usize>, ready: &SyncSender<HostBatch>) {
        for step in steps {
            if ready.send(epoch.batch(step)).is_err() {
                return; // nobody waits for more
            }
        }
    }

    /// The worker's next batch. Where it panicked, so does its consumer: no batch is left out.
    fn take(&mut self) -> HostBatch {
        if let Some(batch) = self.ready.as_ref().and_then(|ready| ready.recv().ok()) {
            return batch;
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            _ => unreachable!("a worker sends every batch of its own"),
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

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::Images;

    /// An epoch of single images whose third does not exist.
    fn broken_epoch() -> Arc<Epoch> {
        let images = Images { count: 5, channels: 1, height: 1, width: 1, pixels: vec![0; 5] };
        Arc::new(Epoch {
            dataset: ImageDataset::new(images, vec![0; 5]).unwrap(),
            order: vec![0, 1, 99, 3, 4],
            batch_size: 1,
            batcher: ImageBatcher::new([1, 1], [1, 1]),
            augmented: None,
            mixed: None,
            number: 1,
        })
    }

    #[test]
    fn a_panic_of_a_worker_is_its_consumers() {
        for count in [1, 2, 5, 9] {
            let epoch = broken_epoch();
            let mut workers = Worker::start(&epoch, 0, count);
            let count = workers.len();
            assert_eq!(workers[0].take(), epoch.batch(0));
            assert_eq!(workers[1 % count].take(), epoch.batch(1));
            // Also when the worker is long gone.
            while workers[2 % count].thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
                std::thread::yield_now();
            }
            let panic = catch_unwind(AssertUnwindSafe(|| workers[2 % count].take())).unwrap_err();
            let message = panic.downcast_ref::<String>().unwrap();
            assert!(message.contains("image 99 of 5"), "{message}");
        }
    }

    #[test]
    fn there_are_no_more_workers_than_batches() {
        let epoch = broken_epoch();
        for (first_step, expected) in [(0, 5), (3, 2), (5, 0), (9, 0)] {
            assert_eq!(Worker::start(&epoch, first_step, 1000).len(), expected);
        }
    }
}
