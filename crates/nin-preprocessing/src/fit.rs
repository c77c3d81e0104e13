//! Fits images of any size to the input size of a network.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Resizer;

/// How an image is fitted to an input size with a different aspect ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Resize both sides independently; the aspect ratio may change.
    Stretch,
    /// Resize to cover the input, then crop the centre: torchvision's `Resize` of the shorter side and
    /// `CenterCrop`.
    Crop,
    /// Resize to fit inside the input, then centre it on the median colour of the border pixels.
    Pad,
}

impl Fit {
    /// Every variant.
    pub const ALL: [Self; 3] = [Self::Stretch, Self::Crop, Self::Pad];

    /// Returns the name that recipes use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stretch => "stretch",
            Self::Crop => "crop",
            Self::Pad => "pad",
        }
    }

    /// Fits row-major planes of `[height, width]` `from` to `to`. No side may be zero.
    ///
    /// # Panics
    /// Panics if a plane has fewer pixels than `from` implies.
    pub fn apply(self, planes: &[Vec<u8>], from: [usize; 2], to: [usize; 2]) -> Vec<Vec<u8>> {
        match self {
            Self::Stretch => Resizer::new(from, to).planes(planes),
            Self::Crop => {
                let scaled = covering_size(from, to);
                // torchvision's `int(round((image - crop) / 2.0))`, which rounds halves to even.
                let middle = |side| (scaled[side] - to[side]) as f64 / 2.0;
                let corner = [0, 1].map(|side| middle(side).round_ties_even() as usize);
                Resizer::window(from, scaled, corner, to).planes(planes)
            }
            Self::Pad => padded(planes, from, to),
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

/// The error for a name that matches no [`Fit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `stretch`, `crop` or `pad`")]
pub struct UnknownFit;

/// Returns the smallest `[height, width]` with the aspect ratio of `from` that covers `size`. Rounds down,
/// as torchvision does.
fn covering_size(from: [usize; 2], size: [usize; 2]) -> [usize; 2] {
    let [height, width] = from;
    if width * size[0] >= height * size[1] {
        [size[0], size[0] * width / height]
    } else {
        [size[1] * height / width, size[1]]
    }
}

/// Returns the largest `[height, width]` within `size` that has the aspect ratio of `from`.
fn inner_size(from: [usize; 2], size: [usize; 2]) -> [usize; 2] {
    let scale = f64::min(size[0] as f64 / from[0] as f64, size[1] as f64 / from[1] as f64);
    [0, 1].map(|side| ((from[side] as f64 * scale).round() as usize).clamp(1, size[side]))
}

fn padded(planes: &[Vec<u8>], from: [usize; 2], to: [usize; 2]) -> Vec<Vec<u8>> {
    let inner = inner_size(from, to);
    let scaled = Resizer::new(from, inner).planes(planes);
    if inner == to {
        return scaled;
    }
    let [top, left] = [0, 1].map(|side| (to[side] - inner[side]) / 2);
    let planes = planes.iter().zip(&scaled).map(|(original, scaled)| {
        let mut filled = vec![rim_colour(original, from); to[0] * to[1]];
        for (row, pixels) in scaled.chunks_exact(inner[1]).enumerate() {
            filled[(top + row) * to[1] + left..][..inner[1]].copy_from_slice(pixels);
        }
        filled
    });
    planes.collect()
}

/// Returns the median of the border pixels of a row-major plane of `[height, width]`.
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
    fn inner_size_keeps_the_aspect_ratio() {
        assert_eq!(inner_size([28, 28], [96, 96]), [96, 96]);
        assert_eq!(inner_size([400, 300], [96, 96]), [96, 72]);
        assert_eq!(inner_size([1, 10_000], [28, 28]), [1, 28]);
        assert_eq!(inner_size([3, 5], [20, 40]), [20, 33]);
    }

    #[test]
    fn covering_size_matches_torchvision() {
        // torchvision's transforms.Resize(96) computes int(96 * long / short).
        assert_eq!(covering_size([375, 500], [96, 96]), [96, 128]);
        assert_eq!(covering_size([500, 333], [96, 96]), [144, 96]);
        assert_eq!(covering_size([7, 7], [96, 96]), [96, 96]);
        assert_eq!(covering_size([10, 10], [20, 40]), [40, 40]);
        assert_eq!(covering_size([100, 299], [50, 150]), [50, 150]);
    }

    #[test]
    fn padding_has_the_median_colour_of_the_border() {
        let wide = Fit::Pad.apply(&[vec![200, 10, 200, 200]], [4, 1], [4, 3]);
        assert_eq!(wide[0], [200, 200, 200, 200, 10, 200, 200, 200, 200, 200, 200, 200]);
    }

    #[test]
    fn a_crop_keeps_the_middle() {
        let planes = [(0..5).collect(), (10..15).collect()];
        assert_eq!(Fit::Crop.apply(&planes, [1, 5], [1, 1]), [[2], [12]]);
        // (5 - 2) / 2 = 1.5 rounds to the even 2.
        let wide = [[0, 1, 2, 3, 4].repeat(2)];
        assert_eq!(Fit::Crop.apply(&wide, [2, 5], [2, 2]), [[2, 3, 2, 3]]);
    }

    #[test]
    fn names_round_trip() {
        for fit in Fit::ALL {
            assert_eq!(fit.name().parse(), Ok(fit));
        }
        assert!("cover".parse::<Fit>().is_err());
    }
}
