//! Turns images into batches: resized, scaled to `[0, 1]`, moved to the device.

use burn::data::dataloader::batcher::Batcher;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use nin_preprocessing::{Fit, Preprocessing, Resizer};

use crate::{ImageItem, SecondLabels};

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
    pub second: Option<SecondLabels>,
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
    pub second: Option<SecondLabels>,
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

/// Moves classes to a device, `[batch]`.
pub(crate) fn targets<B: Backend>(labels: &[usize], device: &B::Device) -> Tensor<B, 1, Int> {
    let classes: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    Tensor::from_data(TensorData::new(classes, [labels.len()]), device)
}

/// Collates images into batches of one size. It resizes one batch at a time, never the whole data set.
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
    /// The resize from the usual size of the images, computed once.
    usual: Option<Resizer>,
}

impl ImageBatcher {
    /// Creates a batcher that stretches images to `[height, width]` pixels. No side may be zero.
    pub fn new(size: [usize; 2]) -> Self {
        Self::with_preprocessing(Preprocessing::resized(size))
    }

    /// Creates a batcher that applies this preprocessing.
    pub fn with_preprocessing(preprocessing: Preprocessing) -> Self {
        Self { preprocessing, usual: None }
    }

    /// Precomputes the resize from this `[height, width]`. Other sizes still work.
    pub(crate) fn with_usual_size(self, from: Option<[usize; 2]>) -> Self {
        let usual = from.map(|from| Resizer::new(from, self.size()));
        Self { usual, ..self }
    }

    /// Returns the preprocessing.
    pub(crate) fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// Returns the `[height, width]` of the images in a batch.
    pub(crate) fn size(&self) -> [usize; 2] {
        self.preprocessing.input_size
    }

    /// Scales and normalizes images that already have the size of the batch.
    pub(crate) fn values(&self, bytes: &[u8], channels: usize) -> Vec<f32> {
        let [height, width] = self.size();
        let mut values = to_unit(bytes);
        self.preprocessing.apply(&mut values, channels * height * width);
        values
    }

    /// Appends an image of `[height, width]` `from`, resized to the size of the batch.
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

    /// Returns an empty buffer with capacity for this number of planes.
    pub(crate) fn room_for(&self, planes: usize) -> Vec<u8> {
        let [height, width] = self.size();
        Vec::with_capacity(planes * height * width)
    }
}

/// Resizes each plane of an image and appends it.
pub(crate) fn append_planes(resizer: &Resizer, pixels: &[u8], bytes: &mut Vec<u8>) {
    let [height, width] = resizer.from();
    for plane in pixels.chunks_exact(height * width) {
        resizer.resize(plane, bytes);
    }
}

/// Divides by 255, as torchvision's `ToTensor` does; multiplying by 1/255 rounds differently.
fn to_unit(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()
}

/// Collates any images into one batch, with epoch 1, step 0 and positions from 0.
///
/// # Panics
/// Panics if an item has another number of channels than the first, or fewer than
/// `channels * height * width` pixels.
impl<B: Backend> Batcher<B, ImageItem, ImageBatch<B>> for ImageBatcher {
    fn batch(&self, items: Vec<ImageItem>, device: &B::Device) -> ImageBatch<B> {
        let channels = items.first().map_or(1, |item| item.channels);
        let mut bytes = self.room_for(items.len() * channels);
        let from = items.first().map(|item| [item.height, item.width]);
        let batcher = self.clone().with_usual_size(from);
        for item in &items {
            let size = [item.height, item.width];
            let pixels = &item.pixels[..channels * size[0] * size[1]];
            assert_eq!(item.channels, channels, "the images of a batch must have equal channels");
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
