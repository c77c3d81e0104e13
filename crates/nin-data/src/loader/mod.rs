//! The data loader: batches in an order that depends only on seed and epoch, with any number of workers,
//! and without dropping images.

mod epoch;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::tensor::backend::Backend;
use nin_random::{Purpose, Stream};

use self::epoch::Epoch;
use self::worker::Worker;
use nin_preprocessing::Preprocessing;

use crate::{Augmentation, DataError, ImageBatch, ImageBatcher, ImageDataset, Mixing};

/// The default size of pictures, in pixels per side.
const PICTURE_SIDE: usize = 96;

/// A data loader that yields the batches of an epoch in order; the last batch may be short.
///
/// Each call of `iter` starts the next epoch, unless [`OrderedLoader::start_at`] chose another one. The order
/// and content of batches, augmentation included, depend only on data set, batch size, seed and epoch. Workers
/// only prepare them ahead of time, up to two each. Pixels are prepared on the host; the consumer's thread
/// creates the tensor.
///
/// If an image cannot be loaded, for example because its file was deleted, the iterator ends early and
/// [`OrderedLoader::take_failure`] returns the error. Check it after each epoch.
///
/// # Panics
/// The iterator panics if one of its workers panicked.
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
/// loader.start_at(3, 2); // epoch 3, from its third batch
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
    failure: Arc<Mutex<Option<DataError>>>,
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
    /// Creates a loader for training, with a new order each epoch. A batch size of 0 counts as 1.
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

    /// Creates a loader for evaluation, in the order of the data set. A batch size of 0 counts as 1.
    pub fn in_order(dataset: ImageDataset, batch_size: usize, device: &B::Device) -> Self {
        Self::new(dataset, batch_size, Order::InOrder, device)
    }

    fn new(dataset: ImageDataset, batch_size: usize, order: Order, device: &B::Device) -> Self {
        let size = dataset.image_size();
        let batcher = ImageBatcher::new(size.unwrap_or([PICTURE_SIDE; 2])).with_usual_size(size);
        Self {
            batcher,
            dataset,
            batch_size: batch_size.max(1),
            order,
            workers: 0,
            device: device.clone(),
            next: Mutex::new(Position { epoch: 1, step: 0 }),
            failure: Arc::default(),
        }
    }

    /// Resizes images to `[height, width]`. By default, images of a single size keep it and pictures become
    /// 96x96.
    #[must_use]
    pub fn with_size(self, size: [usize; 2]) -> Self {
        let preprocessing = self.batcher.preprocessing().clone();
        self.with_preprocessing(Preprocessing { input_size: size, ..preprocessing })
    }

    /// Sets the preprocessing. Its `fit` applies to pictures; images of a single size are always stretched.
    ///
    /// Augmentation runs before normalization. If normalization or whitening mixes pixels
    /// ([`Preprocessing::mixes_pixels`]), flips, shifts and erasing run after it, in pixels of the resized
    /// image, and fill the border with 0.
    #[must_use]
    pub fn with_preprocessing(self, preprocessing: Preprocessing) -> Self {
        let batcher = ImageBatcher::with_preprocessing(preprocessing)
            .with_usual_size(self.dataset.image_size());
        Self { batcher, ..self }
    }

    /// Sets the augmentation. Has no effect on a loader created by [`OrderedLoader::in_order`].
    #[must_use]
    pub fn with_augmentation(mut self, changes: Augmentation) -> Self {
        if let Order::Shuffled { augmentation, .. } = &mut self.order {
            *augmentation = changes;
        }
        self
    }

    /// Sets the mixing of images within a batch, which runs last. Has no effect on a loader created by
    /// [`OrderedLoader::in_order`].
    #[must_use]
    pub fn with_mixing(mut self, asked: Mixing) -> Self {
        if let Order::Shuffled { mixing, .. } = &mut self.order {
            *mixing = asked;
        }
        self
    }

    /// Returns the preprocessed images at these positions without augmentation, as
    /// `[images, channels, height, width]` in row-major order.
    ///
    /// # Errors
    /// Returns the errors of [`ImageDataset::image`].
    pub fn values(&self, indices: &[usize]) -> Result<Vec<f32>, DataError> {
        let bytes = self.pixels(indices)?;
        Ok(self.batcher.values(&bytes, self.dataset.channels()))
    }

    /// Returns the resized images at these positions as bytes, before normalization, as
    /// `[images, channels, height, width]` in row-major order.
    ///
    /// # Errors
    /// Returns the errors of [`ImageDataset::image`].
    pub fn pixels(&self, indices: &[usize]) -> Result<Vec<u8>, DataError> {
        let mut bytes = self.batcher.room_for(indices.len() * self.dataset.channels());
        for &index in indices {
            let image = self.dataset.image(index)?;
            self.batcher.append(&image.pixels, image.size, &mut bytes);
        }
        Ok(bytes)
    }

    /// Takes the error that ended the last iterator early, if any.
    pub fn take_failure(&self) -> Option<DataError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Sets the number of worker threads; 0 prepares batches on the consumer's thread.
    #[must_use]
    pub fn with_workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// Returns the number of batches per epoch; the last one may be short.
    pub fn steps_per_epoch(&self) -> usize {
        self.dataset.len().div_ceil(self.batch_size)
    }

    /// Makes the next `iter` start in this epoch, counted from 1, at this batch, counted from 0.
    pub fn start_at(&self, epoch: usize, step: usize) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Position { epoch, step };
    }

    /// Returns the positions of the images in the order of an epoch.
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
            failure: Arc::clone(&self.failure),
            ..*self
        }
    }
}

impl<B: Backend> DataLoader<B, ImageBatch<B>> for OrderedLoader<B> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<ImageBatch<B>> + 'a> {
        let Position { epoch, step } = self.take_position();
        let (augmented, mixed) = match self.order {
            Order::InOrder => (None, None),
            Order::Shuffled { seed, augmentation, mixing } => (
                (!augmentation.is_none()).then_some((augmentation, seed)),
                (!mixing.is_none()).then_some((mixing, seed)),
            ),
        };
        let epoch = Arc::new(Epoch {
            dataset: self.dataset.clone(),
            order: self.order_of(epoch),
            batch_size: self.batch_size,
            batcher: self.batcher.clone(),
            augmented,
            mixed,
            number: epoch,
        });
        Box::new(Batches::<B> {
            workers: Worker::start(&epoch, step, self.workers),
            epoch,
            step,
            first_step: step,
            device: &self.device,
            failure: &self.failure,
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

struct Batches<'a, B: Backend> {
    epoch: Arc<Epoch>,
    workers: Vec<Worker>,
    first_step: usize,
    step: usize,
    device: &'a B::Device,
    failure: &'a Mutex<Option<DataError>>,
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
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                self.step = self.epoch.steps();
                return None;
            }
        };
        self.step += 1;
        // On the consumer's thread, because tensors created on other threads leak GPU memory pools.
        Some(batch.to_device(self.device))
    }
}

impl<B: Backend> DataLoaderIterator<ImageBatch<B>> for Batches<'_, B> {
    fn progress(&self) -> Progress {
        let items = self.epoch.order.len();
        Progress::new((self.step * self.epoch.batch_size).min(items), items)
    }
}
