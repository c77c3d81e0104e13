//! What each batch of an epoch holds.

use super::transform::BatchTransform;
use crate::augmentation::Augmentation;
use crate::batch::HostBatch;
use crate::corruption::Corruption;
use crate::error::DataError;
use crate::image_dataset::{ImageDataset, ImageView};
use crate::mixing::{MixedTargets, Mixing};
use crate::share::{Place, Share};

/// The batches of one epoch, without state.
#[derive(Debug)]
pub(super) struct EpochPlan {
    pub(super) dataset: ImageDataset,
    pub(super) order: Vec<usize>,
    pub(super) batch_size: usize,
    pub(super) transform: BatchTransform,
    /// The augmentation of images and its seed.
    pub(super) augmented: Option<(Augmentation, u64)>,
    /// The mixing of images within a batch and its seed.
    pub(super) mixed: Option<(Mixing, u64)>,
    /// The corruption of images.
    pub(super) corruption: Option<Corruption>,
    pub(super) number: usize,
    /// The part of each batch to prepare.
    pub(super) share: Share,
}

impl EpochPlan {
    pub(super) fn steps(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    /// Returns the bytes of the images of a prepared batch.
    pub(super) fn batch_bytes(&self) -> usize {
        let [height, width] = self.transform.size();
        let images = self.share.positions(self.batch_size.min(self.order.len())).len();
        images * self.dataset.channels() * height * width * size_of::<f32>()
    }

    /// Prepares the batch at a step of the epoch, or the share of it.
    pub(super) fn batch(&self, step: usize) -> Result<HostBatch, DataError> {
        let start = step * self.batch_size;
        let batch = &self.order[start..self.order.len().min(start + self.batch_size)];
        let positions = self.share.positions(batch.len());
        if positions.len() == batch.len() {
            return self.prepared(batch, step);
        }
        let labels = batch.iter().map(|&index| self.label(index)).collect::<Result<_, _>>()?;
        let place = Some(Place { first: positions.start, labels });
        let mut indices = batch[positions.clone()].to_vec();
        let is_mixed = self.mixed.is_some() && !positions.is_empty();
        if is_mixed {
            // The first image is mixed with the one before it in the batch.
            let before = (positions.start + batch.len() - 1) % batch.len();
            indices.insert(0, batch[before]);
        }
        let part = HostBatch { place, ..self.prepared(&indices, step)? };
        Ok(if is_mixed { part.without_first() } else { part })
    }

    /// Returns the class of an image of the data set.
    fn label(&self, index: usize) -> Result<usize, DataError> {
        let labels = self.dataset.labels();
        let missing = DataError::NoImage { index, count: labels.len() };
        labels.get(index).map(|&label| usize::from(label)).ok_or(missing)
    }

    /// Prepares these images as one batch.
    fn prepared(&self, indices: &[usize], step: usize) -> Result<HostBatch, DataError> {
        let channels = self.dataset.channels();
        let size = self.transform.size();
        let mut bytes = self.transform.room_for(indices.len() * channels);
        let mut labels = Vec::with_capacity(indices.len());
        for &index in indices {
            let image = self.dataset.image(index)?;
            labels.push(usize::from(image.label));
            let start = bytes.len();
            self.append(index, &image, &mut bytes);
            if let Some(corruption) = self.corruption {
                corruption.apply(&mut bytes[start..], size, index);
            }
        }
        let mut values = self.transform.values(&bytes, channels);
        if let Some((augmentation, seed)) = self.augmented.as_ref().filter(|_| self.is_behind()) {
            let images = values.chunks_exact_mut(channels * size[0] * size[1]);
            let mut changed = Vec::new();
            for (image, &index) in images.zip(indices) {
                let place = [self.number, index];
                augmentation.apply_to_values(image, size, *seed, place, &mut changed);
                image.copy_from_slice(&changed);
            }
        }
        let mixed = self.mixed.as_ref().and_then(|(mixing, seed)| {
            mixing.apply(&mut values, size, &mut labels, *seed, [self.number, step])
        });
        Ok(HostBatch {
            values,
            channels,
            size,
            labels,
            mixed,
            indices: indices.to_vec(),
            epoch: self.number,
            step,
            place: None,
        })
    }

    /// Returns whether images are shifted and erased after preprocessing.
    fn is_behind(&self) -> bool {
        self.transform.preprocessing().mixes_pixels()
    }

    /// Augments an image, resizes it to the size of the batch and appends it.
    fn append(&self, index: usize, image: &ImageView<'_>, bytes: &mut Vec<u8>) {
        let Some((augmentation, seed)) = &self.augmented else {
            self.transform.append(&image.pixels, image.size, bytes);
            return;
        };
        let place = [self.number, index];
        // Images of a single size are augmented in that size; pictures are resized first.
        let is_sized_first = self.dataset.image_size().is_none() || augmentation.crop.is_some();
        let size = if is_sized_first { self.transform.size() } else { image.size };
        let mut sized = Vec::new();
        if let Some(crop) = augmentation.crop_of(image.size, *seed, place) {
            crop.append(&image.pixels, image.size, size, &mut sized);
        } else if is_sized_first {
            self.transform.append(&image.pixels, image.size, &mut sized);
        } else {
            sized.extend_from_slice(&image.pixels);
        }
        let mut changed = Vec::new();
        if self.is_behind() {
            augmentation.apply_before_transform(&sized, size, *seed, place, &mut changed);
        } else {
            augmentation.apply(&sized, size, *seed, place, &mut changed);
        }
        self.transform.append(&changed, size, bytes);
    }
}

impl HostBatch {
    /// Returns the batch without its first image.
    fn without_first(mut self) -> Self {
        let length = self.values.len() / self.labels.len();
        self.values.drain(..length);
        self.labels.remove(0);
        self.indices.remove(0);
        let mixed = self.mixed.take().map(|MixedTargets { mut labels, share }| {
            labels.remove(0);
            MixedTargets { labels, share }
        });
        Self { mixed, ..self }
    }
}
