//! The data loader as one of Burn's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::tensor::backend::Backend;

use super::batches::EpochBatches;
use super::ordered::OrderedLoader;
use crate::batch::ImageBatch;
use crate::error::DataError;

/// An [`OrderedLoader`] as Burn's `DataLoader`, for Burn's own training loop: each call of `iter` is the next epoch.
///
/// Burn's loaders cannot fail. Where an image cannot be loaded, the epoch ends early and
/// [`take_failure`](Self::take_failure) returns the error.
///
/// ```
/// use burn::data::dataloader::DataLoader;
/// use burn_flex::{Flex, FlexDevice};
/// use nin_data::{BurnLoader, DataSet, FASHION_MNIST_SAMPLE, Locations, OrderedLoader};
///
/// # fn main() -> Result<(), nin_data::DataError> {
/// let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default())?.limited(100);
/// let loader = OrderedLoader::<Flex>::shuffled(data.train, 32, 42, &FlexDevice);
/// let loader = BurnLoader::new(loader);
/// let epochs: Vec<_> = loader.iter().chain(loader.iter()).map(|batch| batch.epoch).collect();
/// assert_eq!(epochs, [1, 1, 1, 1, 2, 2, 2, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct BurnLoader<B: Backend> {
    loader: OrderedLoader<B>,
    next_epoch: AtomicUsize,
    failure: Arc<Mutex<Option<DataError>>>,
}

impl<B: Backend> BurnLoader<B> {
    /// Starts at epoch 1.
    pub fn new(loader: OrderedLoader<B>) -> Self {
        Self { loader, next_epoch: AtomicUsize::new(1), failure: Arc::default() }
    }

    /// Starts at another epoch, such as the one that a training resumes in.
    #[must_use]
    pub fn starting_at(self, epoch: usize) -> Self {
        Self { next_epoch: AtomicUsize::new(epoch), ..self }
    }

    /// Takes the error that ended an epoch early.
    pub fn take_failure(&self) -> Option<DataError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn derived(&self, loader: OrderedLoader<B>) -> Arc<dyn DataLoader<B, ImageBatch<B>>> {
        let next_epoch = AtomicUsize::new(self.next_epoch.load(Ordering::Relaxed));
        Arc::new(Self { loader, next_epoch, failure: Arc::clone(&self.failure) })
    }
}

impl<B: Backend> DataLoader<B, ImageBatch<B>> for BurnLoader<B> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<ImageBatch<B>> + 'a> {
        let epoch = self.next_epoch.fetch_add(1, Ordering::Relaxed);
        Box::new(Batches { batches: self.loader.epoch(epoch, 0), failure: &self.failure })
    }

    fn num_items(&self) -> usize {
        self.loader.len()
    }

    fn to_device(&self, device: &B::Device) -> Arc<dyn DataLoader<B, ImageBatch<B>>> {
        self.derived(self.loader.on(device))
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<B, ImageBatch<B>>> {
        self.derived(self.loader.part(start..end))
    }
}

struct Batches<'a, B: Backend> {
    batches: EpochBatches<'a, B>,
    failure: &'a Mutex<Option<DataError>>,
}

impl<B: Backend> Iterator for Batches<'_, B> {
    type Item = ImageBatch<B>;

    fn next(&mut self) -> Option<ImageBatch<B>> {
        match self.batches.next()? {
            Ok(batch) => Some(batch),
            Err(error) => {
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                None
            }
        }
    }
}

impl<B: Backend> DataLoaderIterator<ImageBatch<B>> for Batches<'_, B> {
    fn progress(&self) -> Progress {
        let (processed, total) = self.batches.progress();
        Progress::new(processed, total)
    }
}
