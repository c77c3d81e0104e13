//! From a picture to the network's input, as in training.

use nin_data::{Picture, PictureError};
use nin_model::{Architecture, ModelMetadata};
use nin_preprocessing::{Fit, Preprocessing, rim_colour};

/// Values that the layers of one dense pass may hold together: 1 GiB of 32-bit floats.
const MOST_DENSE_VALUES: u64 = 1 << 28;
/// From here on a rim counts as bright.
const BRIGHT: u8 = 128;
/// Corners of four that are bright where the ground is.
const BRIGHT_CORNERS: usize = 3;

/// Whether light and dark change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Inversion {
    /// Where the picture's ground is bright and the network was trained on a black one. Networks that
    /// were trained on pictures never invert by themselves.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How pictures become inputs of one network.
#[derive(Debug, Clone)]
pub struct Preparation {
    architecture: Architecture,
    preprocessing: Preprocessing,
    is_dense: bool,
    inversion: Inversion,
    /// Whether the network was trained on white things on black ground.
    has_black_ground: bool,
}

/// A picture as the network gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// As many planes as the network has input channels.
    pub picture: Picture,
    /// `[height, width]` that it came with, upright.
    pub original_size: [usize; 2],
    /// Whether light and dark have changed places.
    pub inverted: bool,
}

impl Preparation {
    /// The preparation that a network's file describes.
    pub fn new(metadata: &ModelMetadata) -> Self {
        Self {
            architecture: metadata.architecture.clone(),
            preprocessing: metadata.preprocessing.clone(),
            is_dense: false,
            inversion: Inversion::Auto,
            has_black_ground: metadata.has_black_ground(),
        }
    }

    /// The same with another rule for light and dark.
    #[must_use]
    pub fn with_inversion(self, inversion: Inversion) -> Self {
        Self { inversion, ..self }
    }

    /// The same with each picture at its own size: the network is applied fully convolutionally.
    #[must_use]
    pub fn dense(self) -> Self {
        Self { is_dense: true, ..self }
    }

    /// The picture as the network gets it.
    ///
    /// A network that was trained on pictures says how they were fitted, and gets them so: made grey
    /// or colour, reduced ([`Picture::reduced`]) and fitted ([`Fit`]).
    ///
    /// Others were trained on images of one size. A picture of the input's proportions is resized, so
    /// that an image of the data set gives what it gave in training. Any other keeps its proportions
    /// and is padded with the colour of its rim, as Fashion-MNIST was made of photographs (longest
    /// side to 28 pixels, extended to a square, negated: arXiv:1708.07747, section 2).
    ///
    /// # Errors
    /// [`PictureError::Channels`]; where pictures keep their size, [`PictureError::Size`].
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

    /// Normalises and whitens what [`Prepared::append_values`] gave, inputs of `length` values each.
    pub(crate) fn normalize(&self, values: &mut [f32], length: usize) {
        self.preprocessing.apply(values, length);
    }
}

impl Prepared {
    /// Appends the input's values, plane after plane, 0 for black to 1 for white. A division, as in
    /// training.
    pub fn append_values(&self, values: &mut Vec<f32>) {
        values.extend(self.picture.planes.iter().flatten().map(|&byte| f32::from(byte) / 255.0));
    }
}

/// Whether things stand on a bright ground: the middle value of the rim, and three corners, are
/// bright. None of Fashion-MNIST's 70,000 images, which stand on black, are taken so.
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
