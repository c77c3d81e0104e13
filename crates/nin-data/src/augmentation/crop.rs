//! Random resized crops: a random part of an image with a random area and aspect ratio, resized to the input
//! size.

use nin_random::Stream;

use crate::planes::append_planes;
use nin_preprocessing::Resizer;

/// The range of aspect ratios, width to height (torchvision's `RandomResizedCrop`).
const RATIO: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];
/// Attempts to draw a crop that fits into the image.
const TRIES: u64 = 10;

/// A rectangle of an image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crop {
    pub(crate) top: usize,
    pub(crate) left: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Crop {
    /// Draws a crop that covers at least the share `smallest` of an image of `[height, width]` `size`. Uses
    /// the words of the stream from `position`.
    pub(super) fn draw(smallest: f64, size: [usize; 2], stream: &Stream, position: u64) -> Self {
        let mut draws = (position..).map(|at| f64::from(stream.uniform(at)));
        Self::choose([smallest, 1.0], RATIO, size, &mut draws)
    }

    /// Chooses a crop as torchvision's `RandomResizedCrop.get_params` does, given uniform draws in `[0, 1)`.
    /// `share` is the range of areas, `ratio` the range of aspect ratios, width to height.
    fn choose(
        share: [f64; 2],
        ratio: [f64; 2],
        size: [usize; 2],
        draws: &mut impl Iterator<Item = f64>,
    ) -> Self {
        let [height, width] = size;
        let mut draw = || draws.next().unwrap_or_default();
        let between = |[low, high]: [f64; 2], draw: f64| low + draw * (high - low);
        for _ in 0..TRIES {
            let area = (height * width) as f64 * between(share, draw());
            let proportions = between(ratio.map(f64::ln), draw()).exp();
            // Round halves to even, as Python does.
            let across = (area * proportions).sqrt().round_ties_even() as usize;
            let down = (area / proportions).sqrt().round_ties_even() as usize;
            if across > 0 && across <= width && down > 0 && down <= height {
                let top = (draw() * (height - down + 1) as f64) as usize;
                let left = (draw() * (width - across + 1) as f64) as usize;
                return Self { top, left, height: down, width: across };
            }
        }
        Self::middle(ratio, size)
    }

    /// Returns the largest central crop with an allowed aspect ratio.
    fn middle([lowest, highest]: [f64; 2], [height, width]: [usize; 2]) -> Self {
        let ratio = width as f64 / height as f64;
        let (down, across) = if ratio < lowest {
            ((width as f64 / lowest).round_ties_even() as usize, width)
        } else if ratio > highest {
            (height, (height as f64 * highest).round_ties_even() as usize)
        } else {
            (height, width)
        };
        let (down, across) = (down.clamp(1, height), across.clamp(1, width));
        Self { top: (height - down) / 2, left: (width - across) / 2, height: down, width: across }
    }

    /// Appends the crop of an image of size `from`, resized to `size`; both are `[height, width]`.
    pub(crate) fn append(
        &self,
        pixels: &[u8],
        from: [usize; 2],
        size: [usize; 2],
        output: &mut Vec<u8>,
    ) {
        let mut part = Vec::with_capacity(3 * self.height * self.width);
        for plane in pixels.chunks_exact(from[0] * from[1]) {
            for row in plane.chunks_exact(from[1]).skip(self.top).take(self.height) {
                part.extend_from_slice(&row[self.left..self.left + self.width]);
            }
        }
        append_planes(&Resizer::new([self.height, self.width], size), &part, output);
    }
}

#[cfg(test)]
mod tests {
    use nin_random::Purpose;

    use super::*;

    #[test]
    fn crops_lie_inside_and_have_allowed_areas_and_aspect_ratios() {
        for size in [[100, 150], [64, 64], [500, 375]] {
            for index in 0..500 {
                let stream = Stream::new(1, Purpose::Augmentation, [1, index]);
                let Crop { top, left, height, width } = Crop::draw(0.25, size, &stream, 64);
                assert!(top + height <= size[0] && left + width <= size[1]);
                let area = (height * width) as f64 / (size[0] * size[1]) as f64;
                // Tolerances cover rounding to whole pixels.
                assert!((0.24..=1.0).contains(&area), "{area}");
                let ratio = width as f64 / height as f64;
                assert!((0.72..1.38).contains(&ratio), "{ratio}");
            }
        }
    }

    #[test]
    fn extreme_aspect_ratios_give_the_central_crop() {
        for size in [[1, 1000], [1000, 1], [1, 1]] {
            let stream = Stream::new(1, Purpose::Augmentation, [1, 0]);
            let crop = Crop::draw(0.9, size, &stream, 64);
            assert!(crop.top + crop.height <= size[0] && crop.left + crop.width <= size[1]);
        }
        assert_eq!(
            Crop::middle(RATIO, [10, 100]),
            Crop { top: 0, left: 43, height: 10, width: 13 }
        );
    }

    #[test]
    fn crops_match_torchvision() {
        let mut count = 0;
        for line in include_str!("../../tests/suite/augmentation/torchvision_golden.txt").lines() {
            let Some(line) = line.strip_prefix("draw ") else { continue };
            let (given, expected) = line.split_once(" = ").unwrap();
            let fields: Vec<&str> = given.split(' ').collect();
            let number = |at: usize| fields[at].parse::<f64>().unwrap();
            let size = [number(1) as usize, number(0) as usize];
            let mut draws = fields[6].split(',').map(|draw| draw.parse::<f64>().unwrap());
            let ranges = [[number(2), number(3)], [number(4), number(5)]];
            let Crop { top, left, height, width } =
                Crop::choose(ranges[0], ranges[1], size, &mut draws);
            assert_eq!(format!("{top} {left} {height} {width}"), expected, "{line}");
            count += 1;
        }
        assert_eq!(count, 8);
    }
}
