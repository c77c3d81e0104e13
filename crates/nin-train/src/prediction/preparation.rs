//! From a picture to the network's input, as in training.

use nin_data::{Fit, Picture, PictureError, rim_colour};
use nin_model::{Architecture, ModelMetadata};

use crate::preprocessing::fit;

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
    /// `[height, width]` of the network's input.
    input_size: [usize; 2],
    /// `None` for a network that was not trained on pictures.
    fit: Option<Fit>,
    is_whitened: bool,
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
        let preprocessing = &metadata.preprocessing;
        Self {
            architecture: metadata.architecture.clone(),
            input_size: preprocessing.input_size,
            fit: preprocessing.fit.map(|_| fit(preprocessing)),
            is_whitened: preprocessing.whitening.is_some(),
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
            picture = match self.fit {
                Some(fit) => fit.apply(&picture.reduced(self.input_size), self.input_size),
                None => Fit::Pad.apply(&picture, self.input_size),
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
        if self.is_whitened && self.input_size != [height, width] {
            let [rows, columns] = self.input_size;
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
