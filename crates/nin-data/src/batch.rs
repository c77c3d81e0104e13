//! From images to a batch: resized, scaled to 0..1, on the device.

use burn::data::dataloader::batcher::Batcher;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use nin_preprocessing::{Fit, Preprocessing, Resizer};

use crate::{ImageItem, SecondLabels};

/// A batch on a device.
#[derive(Debug, Clone)]
pub struct ImageBatch<B: Backend> {
    /// `[batch, channels, height, width]`, 0 for black to 1 for white where nothing transforms it.
    pub images: Tensor<B, 4>,
    /// `[batch]`, the classes; where images are mixed, of the larger part.
    pub targets: Tensor<B, 1, Int>,
    /// The classes, on the host.
    pub labels: Vec<usize>,
    /// Where images are mixed: the class of the smaller part of each.
    pub second: Option<SecondLabels>,
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
    /// Image after image, plane after plane, row after row, 0 for black to 1 for white where nothing
    /// transforms it.
    pub values: Vec<f32>,
    /// Planes of each image.
    pub channels: usize,
    /// `[height, width]` of each image.
    pub size: [usize; 2],
    /// The classes; where images are mixed, of the larger part.
    pub labels: Vec<usize>,
    /// Where images are mixed: the class of the smaller part of each.
    pub second: Option<SecondLabels>,
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
        let Self { values, channels, size, labels, second, indices, epoch, step } = self;
        let count = labels.len();
        let images = TensorData::new(values, [count, channels, size[0], size[1]]);
        ImageBatch {
            images: Tensor::from_data(images, device),
            targets: targets(&labels, device),
            labels,
            second,
            indices,
            epoch,
            step,
        }
    }
}

/// Classes on a device, `[batch]`.
pub(crate) fn targets<B: Backend>(labels: &[usize], device: &B::Device) -> Tensor<B, 1, Int> {
    let classes: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    Tensor::from_data(TensorData::new(classes, [labels.len()]), device)
}

/// Makes batches of one image size; one batch at a time is resized, never the whole set.
///
/// ```
/// use burn::data::dataloader::batcher::Batcher;
/// use burn_dataset::Dataset;
/// use burn_flex::{Flex, FlexDevice};
/// use nin_data::{DataSet, FASHION_MNIST_SAMPLE, ImageBatch, ImageBatcher, Locations};
///
/// # fn main() -> Result<(), nin_data::DataError> {
/// let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default())?;
/// let items = (0..8).filter_map(|index| data.train.get(index)).collect();
/// let batcher = ImageBatcher::new([96, 96]);
/// let batch: ImageBatch<Flex> = batcher.batch(items, &FlexDevice);
/// assert_eq!(batch.images.dims(), [8, 1, 96, 96]);
/// assert_eq!(batch.targets.dims(), [8]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ImageBatcher {
    preprocessing: Preprocessing,
    /// The resize of the images' usual size, worked out once.
    usual: Option<Resizer>,
}

impl ImageBatcher {
    /// Batches of images that are to have `size`, `[height, width]` in pixels, neither of them zero.
    /// Images are stretched to it.
    pub fn new(size: [usize; 2]) -> Self {
        Self::with_preprocessing(Preprocessing::resized(size))
    }

    /// Batches of images that are prepared so.
    pub fn with_preprocessing(preprocessing: Preprocessing) -> Self {
        Self { preprocessing, usual: None }
    }

    /// Computes the resize from this `[height, width]` once; other sizes still work.
    pub(crate) fn with_usual_size(self, from: Option<[usize; 2]>) -> Self {
        let usual = from.map(|from| Resizer::new(from, self.size()));
        Self { usual, ..self }
    }

    /// How images become inputs.
    pub(crate) fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// `[height, width]` of the batches' images.
    pub(crate) fn size(&self) -> [usize; 2] {
        self.preprocessing.input_size
    }

    /// Returns the values of images that already have the batches' size.
    pub(crate) fn values(&self, bytes: &[u8], channels: usize) -> Vec<f32> {
        let [height, width] = self.size();
        let mut values = to_unit(bytes);
        self.preprocessing.apply(&mut values, channels * height * width);
        values
    }

    /// Appends an image of `[height, width]` `from`, resized to the batches' size.
    pub(crate) fn append(&self, pixels: &[u8], from: [usize; 2], bytes: &mut Vec<u8>) {
        match &self.usual {
            Some(resizer) if resizer.from() == from => append_planes(resizer, pixels, bytes),
            _ if matches!(self.preprocessing.fit, None | Some(Fit::Stretch)) => {
                append_planes(&Resizer::new(from, self.size()), pixels, bytes);
            }
            _ => {
                let planes: Vec<_> =
                    pixels.chunks_exact(from[0] * from[1]).map(<[u8]>::to_vec).collect();
                for plane in self.preprocessing.fitted(&planes, from) {
                    bytes.extend_from_slice(&plane);
                }
            }
        }
    }

    /// Nothing yet, with room for so many planes.
    pub(crate) fn room_for(&self, planes: usize) -> Vec<u8> {
        let [height, width] = self.size();
        Vec::with_capacity(planes * height * width)
    }
}

/// Appends each plane of an image, resized.
pub(crate) fn append_planes(resizer: &Resizer, pixels: &[u8], bytes: &mut Vec<u8>) {
    let [height, width] = resizer.from();
    for plane in pixels.chunks_exact(height * width) {
        resizer.resize(plane, bytes);
    }
}

/// A division and no product with 1/255: torchvision's ToTensor divides.
fn to_unit(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()
}

/// Any images as one batch: of epoch 1, at positions from 0 on.
///
/// # Panics
/// Where an item has another number of channels than the first, or fewer pixels than that many planes
/// of its height times its width.
impl<B: Backend> Batcher<B, ImageItem, ImageBatch<B>> for ImageBatcher {
    fn batch(&self, items: Vec<ImageItem>, device: &B::Device) -> ImageBatch<B> {
        let channels = items.first().map_or(1, |item| item.channels);
        let mut bytes = self.room_for(items.len() * channels);
        let from = items.first().map(|item| [item.height, item.width]);
        let batcher = self.clone().with_usual_size(from);
        for item in &items {
            let size = [item.height, item.width];
            let pixels = &item.pixels[..channels * size[0] * size[1]];
            assert_eq!(item.channels, channels, "images of a batch have the same channels");
            batcher.append(pixels, size, &mut bytes);
        }
        HostBatch {
            values: self.values(&bytes, channels),
            channels,
            size: self.size(),
            labels: items.iter().map(|item| usize::from(item.label)).collect(),
            second: None,
            indices: (0..items.len()).collect(),
            epoch: 1,
            step: 0,
        }
        .to_device(device)
    }
}
