//! Turns images into batches: resized, scaled to `[0, 1]`, moved to the device.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use crate::mixing::MixedTargets;
use crate::share::{Place, Share};
use crate::targets::targets;

/// A batch on a device.
#[derive(Debug, Clone)]
pub struct ImageBatch<B: Backend> {
    /// `[batch, channels, height, width]`, in `[0, 1]` unless preprocessing normalizes; 0 is black.
    pub images: Tensor<B, 4>,
    /// The classes, `[batch]`. For mixed images, the class with the larger share.
    pub targets: Tensor<B, 1, Int>,
    /// The same classes on the host.
    pub labels: Vec<usize>,
    /// The class with the smaller share of each image, if images are mixed.
    pub mixed: Option<MixedTargets>,
    /// The position of each image in its data set.
    pub indices: Vec<usize>,
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The position of the batch in the epoch, counted from 0.
    pub step: usize,
    /// The place in the batch, if these images are only a part of it.
    pub place: Option<Place>,
}

/// A batch, or a part of one, on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostBatch {
    /// `[batch, channels, height, width]` in row-major order, in `[0, 1]` unless preprocessing normalizes;
    /// 0 is black.
    pub values: Vec<f32>,
    /// Channels of each image.
    pub channels: usize,
    /// `[height, width]` of each image.
    pub size: [usize; 2],
    /// The classes. For mixed images, the class with the larger share.
    pub labels: Vec<usize>,
    /// The class with the smaller share of each image, if images are mixed.
    pub mixed: Option<MixedTargets>,
    /// The position of each image in its data set.
    pub indices: Vec<usize>,
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The position of the batch in the epoch, counted from 0.
    pub step: usize,
    /// The place in the batch, if these images are only a part of it.
    pub place: Option<Place>,
}

impl HostBatch {
    /// Returns the number of images of the whole batch, of which this may be a part.
    pub fn batch_len(&self) -> usize {
        self.place.as_ref().map_or(self.labels.len(), |place| place.labels.len())
    }

    /// Returns a part of the batch; `None` if the part is empty. The values of the other images are not copied.
    ///
    /// # Panics
    /// Panics if this holds only a part of the batch, and that part does not contain all of the share.
    pub fn share(&self, share: Share) -> Option<Self> {
        let positions = share.positions(self.batch_len());
        let place = self
            .place
            .clone()
            .unwrap_or_else(|| Place { first: 0, labels: self.labels.as_slice().into() });
        if positions.is_empty() {
            return None;
        }
        let images = positions.start - place.first..positions.end - place.first;
        let length = self.channels * self.size[0] * self.size[1];
        let mixed = self.mixed.as_ref().map(|mixed| MixedTargets {
            labels: mixed.labels[images.clone()].to_vec(),
            share: mixed.share,
        });
        Some(Self {
            values: self.values[images.start * length..images.end * length].to_vec(),
            labels: self.labels[images.clone()].to_vec(),
            mixed,
            indices: self.indices[images].to_vec(),
            place: Some(Place { first: positions.start, ..place }),
            ..*self
        })
    }

    /// Moves the batch to a device.
    pub fn to_device<B: Backend>(self, device: &B::Device) -> ImageBatch<B> {
        let Self { values, channels, size, labels, mixed, indices, epoch, step, place } = self;
        let count = labels.len();
        let images = TensorData::new(values, [count, channels, size[0], size[1]]);
        ImageBatch {
            images: Tensor::from_data(images, device),
            targets: targets(&labels, device),
            labels,
            mixed,
            indices,
            epoch,
            step,
            place,
        }
    }
}
