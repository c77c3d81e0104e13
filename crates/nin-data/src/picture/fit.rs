//! From a picture of any size to the network's input size.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Picture, memory};
use crate::Resizer;

/// How a picture of other proportions than the input's is brought to the input's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Resized in both directions, whatever its proportions.
    Stretch,
    /// Resized so that it covers the input, the middle kept: torchvision's `Resize` of the shorter
    /// side and `CenterCrop`.
    Crop,
    /// Resized so that it fits inside, in the middle of the colour of its rim.
    Pad,
}

impl Fit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stretch, Self::Crop, Self::Pad];

    /// Its name in a recipe.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stretch => "stretch",
            Self::Crop => "crop",
            Self::Pad => "pad",
        }
    }

    /// The picture at `[height, width]` of `size`, neither of them zero.
    pub fn apply(self, picture: &Picture, size: [usize; 2]) -> Picture {
        match self {
            Self::Stretch => resized(picture, &Resizer::new(picture.size, size)),
            Self::Crop => {
                let scaled = covering_size(picture.size, size);
                // torchvision's `int(round((image - crop) / 2.0))`, which rounds halves to even.
                let middle = |side| (scaled[side] - size[side]) as f64 / 2.0;
                let corner = [0, 1].map(|side| middle(side).round_ties_even() as usize);
                resized(picture, &Resizer::window(picture.size, scaled, corner, size))
            }
            Self::Pad => padded(picture, size),
        }
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Fit {
    type Err = UnknownFit;

    fn from_str(name: &str) -> Result<Self, UnknownFit> {
        Self::ALL.into_iter().find(|fit| fit.name() == name).ok_or(UnknownFit)
    }
}

/// The error of a name that is no [`Fit`]'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fit is `stretch`, `crop` or `pad`")]
pub struct UnknownFit;

impl Picture {
    /// The intermediate that a network's input of `[height, width]` is made from: large pictures
    /// are resized, proportions kept, to a shorter side of twice the input's longer side. Others
    /// stay as they are.
    #[must_use]
    pub fn reduced(self, input: [usize; 2]) -> Self {
        match reduced_size(self.size, input) {
            Some(size) => {
                let reduced = resized(&self, &Resizer::new(self.size, size));
                self.recycle();
                reduced
            }
            None => self,
        }
    }
}

/// The `[height, width]` that a picture is reduced to, or `None` where it stays as it is.
fn reduced_size(from: [usize; 2], input: [usize; 2]) -> Option<[usize; 2]> {
    let shorter = from[0].min(from[1]);
    let target = 2 * input[0].max(input[1]);
    // Rounded to the next pixel, halves up.
    let scaled = |side: usize| (2 * side * target + shorter) / (2 * shorter);
    (shorter > target).then(|| from.map(scaled))
}

/// The smallest `[height, width]` with the proportions of `from` that covers `size`, rounded down
/// as torchvision does.
fn covering_size(from: [usize; 2], size: [usize; 2]) -> [usize; 2] {
    let [height, width] = from;
    if width * size[0] >= height * size[1] {
        [size[0], size[0] * width / height]
    } else {
        [size[1] * height / width, size[1]]
    }
}

/// The largest `[height, width]` within `size` that has the proportions of `from`.
fn inner_size(from: [usize; 2], size: [usize; 2]) -> [usize; 2] {
    let scale = f64::min(size[0] as f64 / from[0] as f64, size[1] as f64 / from[1] as f64);
    [0, 1].map(|side| ((from[side] as f64 * scale).round() as usize).clamp(1, size[side]))
}

fn resized(picture: &Picture, resizer: &Resizer) -> Picture {
    let plane = |plane: &Vec<u8>| {
        let mut output = memory::take(resizer.size().iter().product());
        output.clear();
        resizer.resize(plane, &mut output);
        output
    };
    Picture { planes: picture.planes.iter().map(plane).collect(), size: resizer.size() }
}

fn padded(picture: &Picture, size: [usize; 2]) -> Picture {
    let inner = inner_size(picture.size, size);
    let scaled = resized(picture, &Resizer::new(picture.size, inner));
    if inner == size {
        return scaled;
    }
    let [top, left] = [0, 1].map(|side| (size[side] - inner[side]) / 2);
    let planes = picture.planes.iter().zip(&scaled.planes).map(|(original, scaled)| {
        let mut filled = vec![rim_colour(original, picture.size); size[0] * size[1]];
        for (row, pixels) in scaled.chunks_exact(inner[1]).enumerate() {
            filled[(top + row) * size[1] + left..][..inner[1]].copy_from_slice(pixels);
        }
        filled
    });
    Picture { planes: planes.collect(), size }
}

/// The median of a plane's outermost pixels.
pub fn rim_colour(plane: &[u8], [height, width]: [usize; 2]) -> u8 {
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
    fn a_cover_has_torchvisions_sizes() {
        // transforms.Resize(96) of torchvision: int(96 * long / short).
        assert_eq!(covering_size([375, 500], [96, 96]), [96, 128]);
        assert_eq!(covering_size([500, 333], [96, 96]), [144, 96]);
        assert_eq!(covering_size([7, 7], [96, 96]), [96, 96]);
        assert_eq!(covering_size([10, 10], [20, 40]), [40, 40]);
        assert_eq!(covering_size([100, 299], [50, 150]), [50, 150]);
    }

    #[test]
    fn only_large_pictures_are_reduced() {
        assert_eq!(reduced_size([375, 500], [96, 96]), Some([192, 256]));
        assert_eq!(reduced_size([500, 333], [96, 64]), Some([288, 192]));
        assert_eq!(reduced_size([193, 1000], [96, 96]), Some([192, 995]));
        assert_eq!(reduced_size([192, 1000], [96, 96]), None);
    }

    #[test]
    fn what_is_left_has_the_colour_of_the_rim() {
        let picture = Picture { planes: vec![vec![200, 10, 200, 200]], size: [4, 1] };
        let wide = Fit::Pad.apply(&picture, [4, 3]);
        assert_eq!(wide.planes[0], [200, 200, 200, 200, 10, 200, 200, 200, 200, 200, 200, 200]);
    }

    #[test]
    fn a_crop_keeps_the_middle() {
        let picture = Picture { planes: vec![(0..5).collect(), (10..15).collect()], size: [1, 5] };
        assert_eq!(Fit::Crop.apply(&picture, [1, 1]).planes, [[2], [12]]);
        // (5 - 2) / 2 is a half, rounded to the even 2.
        let wide = Picture { planes: vec![[0, 1, 2, 3, 4].repeat(2)], size: [2, 5] };
        assert_eq!(Fit::Crop.apply(&wide, [2, 2]).planes, [[2, 3, 2, 3]]);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for fit in Fit::ALL {
            assert_eq!(fit.name().parse(), Ok(fit));
        }
        assert!("cover".parse::<Fit>().is_err());
    }
}
