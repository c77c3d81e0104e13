//! The data loader.

use std::ops::Range;

use burn::tensor::backend::Backend;
use nin_preprocessing::Preprocessing;
use nin_random::{Purpose, Stream};

use super::batches::EpochBatches;
use super::plan::EpochPlan;
use super::transform::BatchTransform;
use crate::augmentation::Augmentation;
use crate::corruption::Corruption;
use crate::error::DataError;
use crate::image_dataset::ImageDataset;
use crate::mixing::Mixing;
use crate::share::Share;

/// The default size of pictures, in pixels per side.
const PICTURE_SIDE: usize = 96;

/// A data loader that yields the batches of an epoch in order; the last batch may be short.
///
/// The order and content of batches, augmentation included, depend only on data set, batch size, seed and epoch.
/// Workers only prepare them ahead of time, up to three each, or one of 8 MiB or more. Pixels are prepared on the host;
/// the consumer's thread creates the tensor. Clones share the data. [`BurnLoader`](crate::BurnLoader) makes one of Burn's
/// data loaders of it.
///
/// ```
/// use burn_flex::{Flex, FlexDevice};
/// use nin_data::{DataSet, FASHION_MNIST_SAMPLE, Locations, OrderedLoader};
///
/// # fn main() -> Result<(), nin_data::DataError> {
/// let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default())?.limited(100);
/// let loader = OrderedLoader::<Flex>::shuffled(data.train, 32, 42, &FlexDevice).with_workers(2);
/// let mut sizes = Vec::new();
/// for batch in loader.epoch(1, 0) {
///     sizes.push(batch?.labels.len());
/// }
/// assert_eq!(sizes, [32, 32, 32, 4]);
///
/// let resumed = loader.epoch(3, 2); // epoch 3, from its third batch
/// assert_eq!(resumed.count(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct OrderedLoader<B: Backend> {
    dataset: ImageDataset,
    batch_size: usize,
    order: Order,
    transform: BatchTransform,
    corruption: Option<Corruption>,
    workers: usize,
    share: Share,
    turns: Share,
    device: B::Device,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    InOrder,
    Shuffled { seed: u64, augmentation: Augmentation, mixing: Mixing },
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
        let transform =
            BatchTransform::new(size.unwrap_or([PICTURE_SIDE; 2])).with_usual_size(size);
        Self {
            transform,
            dataset,
            batch_size: batch_size.max(1),
            order,
            corruption: None,
            workers: 0,
            share: Share::WHOLE,
            turns: Share::WHOLE,
            device: device.clone(),
        }
    }

    /// Resizes images to `[height, width]`. By default, images of a single size keep it and pictures become
    /// 96x96.
    #[must_use]
    pub fn with_size(self, size: [usize; 2]) -> Self {
        let preprocessing = self.transform.preprocessing().clone();
        self.with_preprocessing(Preprocessing { input_size: size, ..preprocessing })
    }

    /// Sets the preprocessing. Its `fit` applies to pictures; images of a single size are always stretched.
    ///
    /// Augmentation runs before normalization. If normalization or whitening mixes pixels
    /// ([`Preprocessing::mixes_pixels`]), flips, shifts and erasing run after it, in pixels of the resized
    /// image, and fill the border with 0.
    #[must_use]
    pub fn with_preprocessing(self, preprocessing: Preprocessing) -> Self {
        let transform = BatchTransform::with_preprocessing(preprocessing)
            .with_usual_size(self.dataset.image_size());
        Self { transform, ..self }
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

    /// Corrupts each image after it is resized, and before anything else.
    #[must_use]
    pub fn with_corruption(self, corruption: Option<Corruption>) -> Self {
        Self { corruption, ..self }
    }

    /// Returns the preprocessed images at these positions without augmentation, as
    /// `[images, channels, height, width]` in row-major order.
    ///
    /// # Errors
    /// Returns the errors of [`ImageDataset::image`].
    pub fn values(&self, indices: &[usize]) -> Result<Vec<f32>, DataError> {
        let bytes = self.pixels(indices)?;
        Ok(self.transform.values(&bytes, self.dataset.channels()))
    }

    /// Returns the resized images at these positions as bytes, before normalization, as
    /// `[images, channels, height, width]` in row-major order.
    ///
    /// # Errors
    /// Returns the errors of [`ImageDataset::image`].
    pub fn pixels(&self, indices: &[usize]) -> Result<Vec<u8>, DataError> {
        let mut bytes = self.transform.room_for(indices.len() * self.dataset.channels());
        for &index in indices {
            let image = self.dataset.image(index)?;
            self.transform.append(&image.pixels, image.size, &mut bytes);
        }
        Ok(bytes)
    }

    /// Sets the number of worker threads; 0 prepares batches on the consumer's thread.
    #[must_use]
    pub fn with_workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// Sets the part of each batch to prepare, for one of several processes that divide batches among themselves. What
    /// a batch holds does not depend on it: augmentation and mixing are those of the whole batch.
    #[must_use]
    pub fn with_share(self, share: Share) -> Self {
        Self { share, ..self }
    }

    /// Takes only every n-th batch of an epoch, for one of n processes that divide the batches among themselves:
    /// `index` is the first batch, `of` the distance. Has no effect on a loader created by [`OrderedLoader::shuffled`].
    #[must_use]
    pub fn taking_turns(self, turns: Share) -> Self {
        Self { turns, ..self }
    }

    /// Returns the number of batches per epoch; the last one may be short.
    pub fn steps_per_epoch(&self) -> usize {
        self.dataset.len().div_ceil(self.batch_size)
    }

    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.dataset.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Starts an epoch, counted from 1, at one of its batches, counted from 0.
    ///
    /// # Panics
    /// The iterator panics where one of its workers panicked.
    pub fn epoch(&self, epoch: usize, first_step: usize) -> EpochBatches<'_, B> {
        let (augmented, mixed) = match self.order {
            Order::InOrder => (None, None),
            Order::Shuffled { seed, augmentation, mixing } => (
                (!augmentation.is_none()).then_some((augmentation, seed)),
                (!mixing.is_none()).then_some((mixing, seed)),
            ),
        };
        let plan = EpochPlan {
            dataset: self.dataset.clone(),
            order: self.order_of(epoch),
            batch_size: self.batch_size,
            transform: self.transform.clone(),
            augmented,
            mixed,
            corruption: self.corruption,
            number: epoch,
            share: self.share,
        };
        EpochBatches::start(plan, first_step, self.workers, &self.device)
    }

    /// Returns the same loader for some of the images.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        Self { dataset: self.dataset.part(range), ..self.clone() }
    }

    /// Returns the same loader for another device.
    pub(super) fn on(&self, device: &B::Device) -> Self {
        Self { device: device.clone(), ..self.clone() }
    }

    /// Returns the positions of the images in the order of an epoch.
    fn order_of(&self, epoch: usize) -> Vec<usize> {
        match self.order {
            Order::InOrder => {
                let images: Vec<usize> = (0..self.dataset.len()).collect();
                let Share { index, of } = self.turns;
                images.chunks(self.batch_size).skip(index).step_by(of).flatten().copied().collect()
            }
            Order::Shuffled { seed, .. } => {
                Stream::new(seed, Purpose::Order, [epoch as u64, 0]).permutation(self.dataset.len())
            }
        }
    }
}
