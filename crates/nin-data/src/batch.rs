//! From images to a batch: resized, scaled to 0..1, on the device.

use burn::data::dataloader::batcher::Batcher;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use crate::{ImageItem, Resizer};

/// A batch on a device.
#[derive(Debug, Clone)]
pub struct ImageBatch<B: Backend> {
    /// `[batch, 1, height, width]`, 0 for black to 1 for white.
    pub images: Tensor<B, 4>,
    /// `[batch]`, the classes.
    pub targets: Tensor<B, 1, Int>,
    /// The classes, on the host.
    pub labels: Vec<usize>,
    /// The images' positions in their data set.
    pub indices: Vec<usize>,
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The batch's place in the epoch, counted from 0.
    pub step: usize,
}

/// A batch on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostBatch {
    /// Image after image, row after row, 0 for black to 1 for white.
    pub values: Vec<f32>,
    /// `[height, width]` of each image.
    pub size: [usize; 2],
    /// The classes.
    pub labels: Vec<usize>,
    /// The images' positions in their data set.
    pub indices: Vec<usize>,
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The batch's place in the epoch, counted from 0.
    pub step: usize,
}

impl HostBatch {
    /// The batch on a device.
    pub fn to_device<B: Backend>(self, device: &B::Device) -> ImageBatch<B> {
        let Self { values, size: [height, width], labels, indices, epoch, step } = self;
        let count = labels.len();
        let images = TensorData::new(values, [count, 1, height, width]);
        let classes: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        ImageBatch {
            images: Tensor::from_data(images, device),
            targets: Tensor::from_data(TensorData::new(classes, [count]), device),
            labels,
            indices,
            epoch,
            step,
        }
    }
}

/// Makes batches of one image size; one batch at a time is resized, never the whole set.
#[derive(Debug, Clone)]
pub struct ImageBatcher {
    resizer: Resizer,
}

impl ImageBatcher {
    /// Batches of images that have `from` and are to have `to`, `[height, width]` in pixels.
    pub fn new(from: [usize; 2], to: [usize; 2]) -> Self {
        Self { resizer: Resizer::new(from, to) }
    }

    /// The values of some images: resized, and divided by 255.
    pub(crate) fn values<'a>(&self, images: impl Iterator<Item = &'a [u8]>) -> Vec<f32> {
        let mut bytes = Vec::new();
        for pixels in images {
            self.resizer.resize(pixels, &mut bytes);
        }
        // A division and no product with 1/255: torchvision's ToTensor divides.
        bytes.into_iter().map(|byte| f32::from(byte) / 255.0).collect()
    }
}

/// Any images of the size that the batcher was made for, as one batch of epoch 1.
impl<B: Backend> Batcher<B, ImageItem, ImageBatch<B>> for ImageBatcher {
    fn batch(&self, items: Vec<ImageItem>, device: &B::Device) -> ImageBatch<B> {
        HostBatch {
            values: self.values(items.iter().map(|item| item.pixels.as_slice())),
            size: self.resizer.size(),
            labels: items.iter().map(|item| usize::from(item.label)).collect(),
            indices: (0..items.len()).collect(),
            epoch: 1,
            step: 0,
        }
        .to_device(device)
    }
}
