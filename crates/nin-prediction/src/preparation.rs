//! Prepares pictures as in training.

use burn::tensor::TensorData;
use nin_model::{Architecture, ModelMetadata};
use nin_picture::{Picture, PictureError};
use nin_preprocessing::{Fit, Preprocessing, rim_colour};

/// Limit on the activations of one dense pass, over all layers: 1 GiB of 32-bit floats.
const MOST_DENSE_VALUES: u64 = 1 << 28;
/// The smallest pixel value that counts as bright.
const BRIGHT: u8 = 128;
/// Number of bright corners, of four, that a bright background needs.
const BRIGHT_CORNERS: usize = 3;

/// Whether to invert the pixel values of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Inversion {
    /// If the picture has a bright background and the network was trained on black ones. Never for networks that were
    /// trained on pictures.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The preparation of pictures for a network.
#[derive(Debug, Clone)]
pub struct Preparation {
    architecture: Architecture,
    preprocessing: Preprocessing,
    is_dense: bool,
    inversion: Inversion,
    /// Whether the network was trained on bright objects on a black background.
    has_black_ground: bool,
}

/// A picture, prepared for a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The pixels, one plane per input channel of the network.
    pub picture: Picture,
    /// `[height, width]` of the original picture, upright.
    pub original_size: [usize; 2],
    /// Whether the pixel values were inverted.
    pub inverted: bool,
}

impl Preparation {
    /// Returns the preparation that the metadata of a network describes.
    pub fn new(metadata: &ModelMetadata) -> Self {
        Self {
            architecture: metadata.architecture.clone(),
            preprocessing: metadata.preprocessing.clone(),
            is_dense: false,
            inversion: Inversion::Auto,
            has_black_ground: metadata.has_black_ground(),
        }
    }

    /// Sets whether to invert pictures.
    #[must_use]
    pub fn with_inversion(self, inversion: Inversion) -> Self {
        Self { inversion, ..self }
    }

    /// Keeps each picture at its own size, to apply the network fully convolutionally.
    #[must_use]
    pub fn dense(self) -> Self {
        Self { is_dense: true, ..self }
    }

    /// Prepares a picture.
    ///
    /// For a network that was trained on pictures, converts it to grey or colour, reduces it ([`Picture::reduced`]) and
    /// fits it ([`Fit`]) as in training.
    ///
    /// Other networks were trained on images of one size. A picture with the aspect ratio of the input is resized, so
    /// that images of the data set give the same input as in training. Any other picture keeps its aspect ratio and is
    /// padded with the colour of its border, which is how Fashion-MNIST was made from photographs (longest side to 28
    /// pixels, extended to a square, negated: arXiv:1708.07747, section 2).
    ///
    /// # Errors
    /// [`PictureError::Channels`] if the network takes neither 1 nor 3 channels. If pictures keep their size,
    /// [`PictureError::Size`] if the network cannot take it.
    pub fn prepare(&self, picture: Picture) -> Result<Prepared, PictureError> {
        let channels = self.architecture.input_channels();
        let mut picture = match channels {
            1 => picture.into_grey(),
            3 => picture.into_colour(),
            _ => return Err(PictureError::Channels { channels }),
        };
        let original_size = picture.size;
        let inverted = self.inverts(&picture);
        if self.is_dense {
            self.check_dense(picture.size)?;
        } else {
            picture = if self.preprocessing.fit.is_some() {
                picture.fitted(&self.preprocessing)
            } else {
                let size = self.preprocessing.input_size;
                Picture { planes: Fit::Pad.apply(&picture.planes, picture.size, size), size }
            };
        }
        if inverted {
            for value in picture.planes.iter_mut().flatten() {
                *value = 255 - *value;
            }
        }
        Ok(Prepared { picture, original_size, inverted })
    }

    fn inverts(&self, picture: &Picture) -> bool {
        match self.inversion {
            Inversion::Always => true,
            Inversion::Never => false,
            Inversion::Auto => {
                self.has_black_ground && picture.planes.len() == 1 && has_bright_ground(picture)
            }
        }
    }

    fn check_dense(&self, [height, width]: [usize; 2]) -> Result<(), PictureError> {
        let refused = |reason: String| PictureError::Size { height, width, reason };
        let [rows, columns] = self.preprocessing.input_size;
        if self.preprocessing.whitening.is_some() && [rows, columns] != [height, width] {
            return Err(refused(format!("it whitens {rows}x{columns} pixels")));
        }
        let input = [self.architecture.input_channels(), height, width];
        let shapes = self.architecture.shapes(input).map_err(|error| refused(error.to_string()))?;
        let values: u64 = shapes.layers.iter().map(|layer| layer.activations).sum();
        if values > MOST_DENSE_VALUES {
            return Err(refused(format!("its layers hold {values} values")));
        }
        Ok(())
    }

    /// Returns prepared pictures of one size as a batch, `[batch, channels, height, width]`: divided by 255, normalized
    /// and whitened. Without pictures, the batch is empty.
    pub fn batch(&self, pictures: &[&Prepared]) -> TensorData {
        let [height, width] = pictures.first().map_or([0, 0], |first| first.picture.size);
        let channels = self.architecture.input_channels();
        let length = channels * height * width;
        let mut values = Vec::with_capacity(pictures.len() * length);
        for picture in pictures {
            picture.append_values(&mut values);
        }
        if length > 0 {
            self.preprocessing.apply(&mut values, length);
        }
        TensorData::new(values, [pictures.len(), channels, height, width])
    }
}

impl Prepared {
    /// Appends the values of all planes, from 0 for black to 1 for white. Divides by 255, as in training.
    pub fn append_values(&self, values: &mut Vec<f32>) {
        values.extend(self.picture.planes.iter().flatten().map(|&byte| f32::from(byte) / 255.0));
    }
}

/// Returns whether the background is bright: the median of the border and at least three corners are bright. This holds
/// for none of Fashion-MNIST's 70,000 images, which have a black background.
fn has_bright_ground(picture: &Picture) -> bool {
    let [height, width] = picture.size;
    let plane = &picture.planes[0];
    let corners = [0, width - 1, (height - 1) * width, height * width - 1];
    let bright = corners.iter().filter(|&&at| plane[at] >= BRIGHT).count();
    bright >= BRIGHT_CORNERS && rim_colour(plane, picture.size) >= BRIGHT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dark_things_on_white_stand_on_bright_ground() {
        let ground = |corner: u8, inside: u8| {
            let mut plane = vec![corner; 25];
            plane[12] = inside;
            has_bright_ground(&Picture { planes: vec![plane], size: [5, 5] })
        };
        assert!(ground(250, 0) && ground(128, 200));
        assert!(!ground(0, 250) && !ground(127, 0));
    }
}
