//! From a picture to the network's input, as in training: the same resize, the same scale.

use clap::ValueEnum;
use nin_data::{FASHION_MNIST, FASHION_MNIST_SAMPLE, MNIST, Resizer};
use nin_model::{Architecture, ModelMetadata};

use super::{Picture, PictureError};

/// Values that the layers of one dense pass may hold together: 1 GiB of 32-bit floats.
const MOST_DENSE_VALUES: u64 = 1 << 28;
/// From here on a rim counts as bright.
const BRIGHT: u8 = 128;
/// Corners of four that are bright where the ground is.
const BRIGHT_CORNERS: usize = 3;

/// Whether light and dark change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Invert {
    /// Where the picture's ground is bright and the network was trained on a black one
    Auto,
    /// Always
    Yes,
    /// Never
    No,
}

/// How pictures become inputs of one network.
#[derive(Debug, Clone)]
pub struct Preparation {
    architecture: Architecture,
    /// `[height, width]` of the only pictures that can be whitened, where they are.
    whitened: Option<[usize; 2]>,
    /// `[height, width]`; `None` leaves each picture at its own size.
    size: Option<[usize; 2]>,
    invert: Invert,
    /// Whether the network was trained on white things on black ground.
    black_ground: bool,
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
    /// For a network that says so much about itself. `dense` leaves pictures at their own size.
    pub fn new(metadata: &ModelMetadata, invert: Invert, dense: bool) -> Self {
        let dataset = metadata.dataset.as_str();
        let input_size = metadata.preprocessing.input_size;
        Self {
            architecture: metadata.architecture.clone(),
            whitened: metadata.preprocessing.whitening.is_some().then_some(input_size),
            size: (!dense).then_some(input_size),
            invert,
            black_ground: [FASHION_MNIST, FASHION_MNIST_SAMPLE, MNIST].contains(&dataset),
        }
    }

    /// The picture as the network gets it.
    ///
    /// A picture of the input's proportions is resized as in training, so that an image of the data
    /// set gives what it gave there. Any other keeps its own: it is fitted in, and what is left is
    /// filled with the colour of its rim. So Fashion-MNIST was made of its photographs (longest side
    /// to 28 pixels, extended to a square, negated: arXiv:1708.07747, section 2); stretched clothes
    /// would be other clothes.
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
        match self.size {
            Some(size) => picture = fitted(&picture, size),
            None => self.check_dense(picture.size)?,
        }
        if inverted {
            for value in picture.planes.iter_mut().flatten() {
                *value = 255 - *value;
            }
        }
        Ok(Prepared { picture, original_size, inverted })
    }

    fn inverts(&self, picture: &Picture) -> bool {
        match self.invert {
            Invert::Yes => true,
            Invert::No => false,
            Invert::Auto => {
                self.black_ground && picture.planes.len() == 1 && has_bright_ground(picture)
            }
        }
    }

    fn check_dense(&self, [height, width]: [usize; 2]) -> Result<(), PictureError> {
        let refused = |reason: String| PictureError::Size { height, width, reason };
        if let Some([rows, columns]) = self.whitened.filter(|size| *size != [height, width]) {
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

/// The middle value of a plane's outermost pixels.
fn rim_colour(plane: &[u8], [height, width]: [usize; 2]) -> u8 {
    let mut counts = [0_usize; 256];
    for (number, row) in plane.chunks_exact(width).enumerate() {
        if number == 0 || number == height - 1 {
            for &value in row {
                counts[usize::from(value)] += 1;
            }
        } else {
            counts[usize::from(row[0])] += 1;
            counts[usize::from(row[width - 1])] += 1;
        }
    }
    let total: usize = counts.iter().sum();
    let mut below = 0;
    let middle = counts.iter().position(|&count| {
        below += count;
        below * 2 >= total
    });
    middle.unwrap_or_default() as u8
}

/// Resized to fit into a size, its proportions kept, in the middle of the colour of its rim.
fn fitted(picture: &Picture, size: [usize; 2]) -> Picture {
    let inner = inner_size(picture.size, size);
    let resizer = Resizer::new(picture.size, inner);
    let [top, left] = [0, 1].map(|side| (size[side] - inner[side]) / 2);
    let planes = picture.planes.iter().map(|plane| {
        let mut scaled = Vec::with_capacity(inner[0] * inner[1]);
        resizer.resize(plane, &mut scaled);
        if inner == size {
            return scaled;
        }
        let mut filled = vec![rim_colour(plane, picture.size); size[0] * size[1]];
        for (row, pixels) in scaled.chunks_exact(inner[1]).enumerate() {
            filled[(top + row) * size[1] + left..][..inner[1]].copy_from_slice(pixels);
        }
        filled
    });
    Picture { planes: planes.collect(), size }
}

/// The largest `[height, width]` within `size` that has the proportions of `from`.
fn inner_size(from: [usize; 2], size: [usize; 2]) -> [usize; 2] {
    let scale = f64::min(size[0] as f64 / from[0] as f64, size[1] as f64 / from[1] as f64);
    [0, 1].map(|side| ((from[side] as f64 * scale).round() as usize).clamp(1, size[side]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_are_kept_to_the_last_pixel() {
        assert_eq!(inner_size([28, 28], [96, 96]), [96, 96]);
        assert_eq!(inner_size([400, 300], [96, 96]), [96, 72]);
        assert_eq!(inner_size([1, 10_000], [28, 28]), [1, 28]);
        assert_eq!(inner_size([3, 5], [20, 40]), [20, 33]);
    }

    #[test]
    fn what_is_left_has_the_colour_of_the_rim() {
        let picture = Picture { planes: vec![vec![200, 10, 200, 200]], size: [4, 1] };
        let wide = fitted(&picture, [4, 3]);
        assert_eq!(wide.planes[0], [200, 200, 200, 200, 10, 200, 200, 200, 200, 200, 200, 200]);
    }

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
