//! The loader: ordered batches whatever the number of workers, an order that is a function of seed
//! and epoch, and nothing dropped.

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

/// The side that pictures are resized to unless told, in pixels.
const PICTURE_SIDE: usize = 96;

/// Gives the batches of an epoch in order; the last one may be short.
///
/// Each call of `iter` is the next epoch, unless [`OrderedLoader::start_at`] says which one. Order
/// and content of the batches, augmentation included, are a function of data set, batch size, seed
/// and epoch: workers only prepare them earlier, at most two each. Pixels are prepared on the host;
/// the tensor is made in the consumer's thread.
///
/// Where an image cannot be had (a picture's file is gone, say), the iterator ends early, and
/// [`OrderedLoader::take_failure`] says why: ask after each.
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

    /// Resizes images to `[height, width]`. Unless told, images of one size keep it, and pictures
    /// become 96x96.
    #[must_use]
    pub fn with_size(self, size: [usize; 2]) -> Self {
        let preprocessing = self.batcher.preprocessing().clone();
        self.with_preprocessing(Preprocessing { input_size: size, ..preprocessing })
    }

    /// Prepares images in this way; of pictures of other proportions than the input's it says how they are
    /// fitted, images of one size are stretched. Augmentation comes before normalisation, or, where a value
    /// depends on the other pixels of its image, behind it: then it moves by pixels of the resized image,
    /// and brings in 0.
    #[must_use]
    pub fn with_preprocessing(self, preprocessing: Preprocessing) -> Self {
        let batcher = ImageBatcher::with_preprocessing(preprocessing)
            .with_usual_size(self.dataset.image_size());
        Self { batcher, ..self }
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
    /// row after row.
    ///
    /// # Errors
    /// Those of [`ImageDataset::image`].
    pub fn values(&self, indices: &[usize]) -> Result<Vec<f32>, DataError> {
        let bytes = self.pixels(indices)?;
        Ok(self.batcher.values(&bytes, self.dataset.channels()))
    }

    /// The same images as bytes, before their values are transformed.
    ///
    /// # Errors
    /// Those of [`ImageDataset::image`].
    pub fn pixels(&self, indices: &[usize]) -> Result<Vec<u8>, DataError> {
        let mut bytes = self.batcher.room_for(indices.len() * self.dataset.channels());
        for &index in indices {
            let image = self.dataset.image(index)?;
            self.batcher.append(&image.pixels, image.size, &mut bytes);
        }
        Ok(bytes)
    }

    /// What made the last iterator end early, if something did.
    pub fn take_failure(&self) -> Option<DataError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
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
