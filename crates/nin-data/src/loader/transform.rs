//! From images of any size to the values of a batch.

use nin_preprocessing::{Fit, Preprocessing, Resizer};

use crate::planes::append_planes;

/// Resizes the images of a batch to one size and preprocesses their values.
#[derive(Debug, Clone)]
pub(super) struct BatchTransform {
    preprocessing: Preprocessing,
    /// The resize from the usual size of the images, computed once.
    usual: Option<Resizer>,
}

impl BatchTransform {
    /// Creates a transform that stretches images to `[height, width]` pixels. No side may be zero.
    pub(super) fn new(size: [usize; 2]) -> Self {
        Self::with_preprocessing(Preprocessing::resized(size))
    }

    /// Creates a transform that applies this preprocessing.
    pub(super) fn with_preprocessing(preprocessing: Preprocessing) -> Self {
        Self { preprocessing, usual: None }
    }

    /// Precomputes the resize from this `[height, width]`. Other sizes still work.
    pub(super) fn with_usual_size(self, from: Option<[usize; 2]>) -> Self {
        let usual = from.map(|from| Resizer::new(from, self.size()));
        Self { usual, ..self }
    }

    /// Returns the preprocessing.
    pub(super) fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// Returns the `[height, width]` of the images in a batch.
    pub(super) fn size(&self) -> [usize; 2] {
        self.preprocessing.input_size
    }

    /// Scales and normalizes images that already have the size of the batch.
    pub(super) fn values(&self, bytes: &[u8], channels: usize) -> Vec<f32> {
        let [height, width] = self.size();
        let mut values = to_unit(bytes);
        self.preprocessing.apply(&mut values, channels * height * width);
        values
    }

    /// Appends an image of `[height, width]` `from`, resized to the size of the batch.
    pub(super) fn append(&self, pixels: &[u8], from: [usize; 2], bytes: &mut Vec<u8>) {
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
    pub(super) fn room_for(&self, planes: usize) -> Vec<u8> {
        let [height, width] = self.size();
        Vec::with_capacity(planes * height * width)
    }
}

/// Divides by 255, as torchvision's `ToTensor` does; multiplying by 1/255 rounds differently.
fn to_unit(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()
}
