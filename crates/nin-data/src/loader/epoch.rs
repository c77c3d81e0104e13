//! The batches of one epoch.

use crate::batch::HostBatch;
use crate::{Augmentation, ImageBatcher, ImageDataset, Mixing};

/// One epoch's batches, as pure data.
pub(super) struct Epoch {
    pub(super) dataset: ImageDataset,
    pub(super) order: Vec<usize>,
    pub(super) batch_size: usize,
    pub(super) batcher: ImageBatcher,
    /// How images are changed, and the seed of it.
    pub(super) augmented: Option<(Augmentation, u64)>,
    /// How they are mixed with each other, and the seed of it.
    pub(super) mixed: Option<(Mixing, u64)>,
    pub(super) number: usize,
}

impl Epoch {
    pub(super) fn steps(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    pub(super) fn batch(&self, step: usize) -> HostBatch {
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
