//! Turns images into batches: resized, scaled to `[0, 1]`, moved to the device.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use crate::mixing::MixedTargets;
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
}

/// A batch on the host.
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
}

impl HostBatch {
    /// Moves the batch to a device.
    pub fn to_device<B: Backend>(self, device: &B::Device) -> ImageBatch<B> {
        let Self { values, channels, size, labels, mixed, indices, epoch, step } = self;
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
        }
    }
}
