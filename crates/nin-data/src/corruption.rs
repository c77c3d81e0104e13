//! Corruptions of test images, which show how a network answers pictures that are worse than those it was trained on.
//!
//! Kinds and severities of noise, blur, brightness and contrast are those of CIFAR-10-C (Hendrycks and Dietterich,
//! [arXiv:1903.12261](https://arxiv.org/abs/1903.12261), `make_cifar_c.py`), which are for images of 32 pixels; lengths
//! scale with the image. Shifts and rotations are this crate's own.

use nin_random::{Purpose, Stream};

use crate::augmentation::rotate;

/// What a corruption does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CorruptionKind {
    /// Adds normal noise, as in dim light.
    GaussianNoise,
    /// Sets pixels to black or white, as a broken sensor does.
    ImpulseNoise,
    /// Blurs, as a lens out of focus does.
    GaussianBlur,
    /// Brightens.
    Brightness,
    /// Pulls each plane towards its mean.
    Contrast,
    /// Moves the image, in one of eight directions; black fills the border.
    Shift,
    /// Rotates the image around its centre, to either side; black fills the corners.
    Rotation,
}

impl CorruptionKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::GaussianNoise,
        Self::ImpulseNoise,
        Self::GaussianBlur,
        Self::Brightness,
        Self::Contrast,
        Self::Shift,
        Self::Rotation,
    ];

    /// Returns the name, for tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GaussianNoise => "gaussian_noise",
            Self::ImpulseNoise => "impulse_noise",
            Self::GaussianBlur => "gaussian_blur",
            Self::Brightness => "brightness",
            Self::Contrast => "contrast",
            Self::Shift => "shift",
            Self::Rotation => "rotation",
        }
    }

    /// Returns the strength at each severity: the standard deviation of the noise, the share of changed pixels, the
    /// blur's deviation in pixels of an image of 32, what is added to the brightness, the factor of the contrast, the
    /// shift in such pixels, the angle in degrees.
    const fn strengths(self) -> [f32; Corruption::SEVERITIES] {
        match self {
            Self::GaussianNoise => [0.04, 0.06, 0.08, 0.09, 0.10],
            Self::ImpulseNoise => [0.01, 0.02, 0.03, 0.05, 0.07],
            Self::GaussianBlur => [0.4, 0.6, 0.7, 0.8, 1.0],
            Self::Brightness => [0.05, 0.1, 0.15, 0.2, 0.3],
            Self::Contrast => [0.75, 0.5, 0.4, 0.3, 0.15],
            Self::Shift => [1.0, 2.0, 3.0, 4.0, 5.0],
            Self::Rotation => [5.0, 10.0, 15.0, 20.0, 25.0],
        }
    }
}

/// A corruption of a kind and a severity.
///
/// ```
/// use nin_data::{Corruption, CorruptionKind};
///
/// let mut pixels = vec![100; 4 * 4];
/// let corruption = Corruption::new(CorruptionKind::Brightness, 3).ok_or("a severity from 1 to 5")?;
/// corruption.apply(&mut pixels, [4, 4], 0);
/// assert_eq!(pixels, [138; 16]); // 0.15 of the range brighter
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corruption {
    kind: CorruptionKind,
    severity: usize,
}

impl Corruption {
    /// The number of severities. They count from 1.
    pub const SEVERITIES: usize = 5;

    /// Creates a corruption; `None` if the severity is not from 1 to 5.
    pub fn new(kind: CorruptionKind, severity: usize) -> Option<Self> {
        (1..=Self::SEVERITIES).contains(&severity).then_some(Self { kind, severity })
    }

    /// Returns every severity of every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        CorruptionKind::ALL
            .into_iter()
            .flat_map(|kind| (1..=Self::SEVERITIES).map(move |severity| Self { kind, severity }))
    }

    /// Returns what it does.
    pub fn kind(self) -> CorruptionKind {
        self.kind
    }

    /// Returns the severity, from 1 to 5.
    pub fn severity(self) -> usize {
        self.severity
    }

    /// Corrupts an image of `[channels, height, width]`. `size` is `[height, width]`. What is drawn depends on the kind
    /// and on `index`, the image's position in its data set, and not on the severity.
    ///
    /// # Panics
    /// Panics if a side is 0.
    pub fn apply(self, pixels: &mut [u8], size: [usize; 2], index: usize) {
        let strength = self.kind.strengths()[self.severity - 1];
        let length = strength * size[0].min(size[1]) as f32 / 32.0; // in pixels
        let stream = Stream::new(self.kind as u64, Purpose::Corruption, [index as u64, 0]);
        let plane = size[0] * size[1];
        match self.kind {
            CorruptionKind::GaussianNoise => add_noise(pixels, strength, &stream),
            CorruptionKind::ImpulseNoise => set_pixels(pixels, strength, &stream),
            CorruptionKind::GaussianBlur => {
                pixels.chunks_exact_mut(plane).for_each(|plane| blur(plane, size, length));
            }
            CorruptionKind::Brightness => brighten(pixels, plane, strength),
            CorruptionKind::Contrast => {
                pixels.chunks_exact_mut(plane).for_each(|plane| flatten(plane, strength));
            }
            CorruptionKind::Shift => {
                let [down, right] = direction(&stream).map(|sign| sign * length.round() as isize);
                pixels.chunks_exact_mut(plane).for_each(|plane| shift(plane, size, [down, right]));
            }
            CorruptionKind::Rotation => {
                let sign = if stream.word(0) & 1 == 0 { 1.0 } else { -1.0 };
                for plane in pixels.chunks_exact_mut(plane) {
                    let original = plane.to_vec();
                    rotate(&original, size, sign * f64::from(strength), plane);
                }
            }
        }
    }
}

/// Rounds to the nearest byte.
fn byte(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

fn add_noise(pixels: &mut [u8], deviation: f32, stream: &Stream) {
    for (position, pixel) in (0..).zip(pixels) {
        *pixel = byte(f32::from(*pixel) + 255.0 * deviation * stream.normal(position));
    }
}

/// Sets this share of the values to black or white, half each.
fn set_pixels(pixels: &mut [u8], share: f32, stream: &Stream) {
    for (position, pixel) in (0..).zip(pixels) {
        let drawn = stream.uniform(position);
        if drawn < share {
            *pixel = if drawn < share / 2.0 { 0 } else { 255 };
        }
    }
}

/// Adds to the largest channel of each pixel, and scales the others with it: the value of HSV.
fn brighten(pixels: &mut [u8], plane: usize, added: f32) {
    let channels = pixels.len() / plane;
    for at in 0..plane {
        let places = (0..channels).map(|channel| channel * plane + at);
        let most = f32::from(places.clone().map(|place| pixels[place]).max().unwrap_or(0));
        let brighter = (most + 255.0 * added).min(255.0);
        for place in places {
            let value = f32::from(pixels[place]);
            pixels[place] = byte(if most > 0.0 { value * brighter / most } else { brighter });
        }
    }
}

/// Scales the distance of each value from the mean of the plane.
fn flatten(plane: &mut [u8], factor: f32) {
    let sum: f32 = plane.iter().map(|&pixel| f32::from(pixel)).sum();
    let mean = sum / plane.len() as f32;
    for pixel in plane {
        *pixel = byte((f32::from(*pixel) - mean) * factor + mean);
    }
}

/// Draws one of eight directions: -1, 0 or 1 along each axis.
fn direction(stream: &Stream) -> [isize; 2] {
    const EIGHT: [[isize; 2]; 8] =
        [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0], [1, 1]];
    EIGHT[(stream.word(0) % 8) as usize]
}

fn shift(plane: &mut [u8], [height, width]: [usize; 2], [down, right]: [isize; 2]) {
    let original = plane.to_vec();
    for (y, row) in plane.chunks_exact_mut(width).enumerate() {
        let from_y = y.checked_add_signed(-down).filter(|&y| y < height);
        for (x, pixel) in row.iter_mut().enumerate() {
            let from_x = x.checked_add_signed(-right).filter(|&x| x < width);
            *pixel = from_y.zip(from_x).map_or(0, |(y, x)| original[y * width + x]);
        }
    }
}

/// Blurs as `scipy.ndimage.gaussian_filter` does with `mode="nearest"`: four deviations to each side.
fn blur(plane: &mut [u8], [height, width]: [usize; 2], deviation: f32) {
    let reach = (4.0 * deviation + 0.5) as isize;
    let weights: Vec<f32> = (-reach..=reach)
        .map(|distance| (-0.5 * (distance as f32 / deviation).powi(2)).exp())
        .collect();
    let total: f32 = weights.iter().sum();
    let smooth = |values: &[f32], at: usize, stride: usize, length: usize, start: usize| {
        let weighted = (-reach..=reach).zip(&weights).map(|(distance, weight)| {
            let from = at.saturating_add_signed(distance).min(length - 1);
            weight * values[start + from * stride]
        });
        weighted.sum::<f32>() / total
    };
    let original: Vec<f32> = plane.iter().map(|&pixel| f32::from(pixel)).collect();
    let down: Vec<f32> = (0..height * width)
        .map(|at| smooth(&original, at / width, width, height, at % width))
        .collect();
    for (at, pixel) in plane.iter_mut().enumerate() {
        *pixel = byte(smooth(&down, at % width, 1, width, at / width * width));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bar on a darker ground, in three planes of 32x32.
    fn image() -> Vec<u8> {
        let inside = |at: usize| (13..19).contains(&(at / 32)) && (6..26).contains(&(at % 32));
        let plane = (0..32 * 32).map(|at| if inside(at) { 200 } else { 60 });
        [0, 10, 20]
            .into_iter()
            .flat_map(|more| plane.clone().map(move |pixel| pixel + more))
            .collect()
    }

    fn corrupted(kind: CorruptionKind, severity: usize, index: usize) -> Vec<u8> {
        let mut pixels = image();
        Corruption::new(kind, severity).unwrap().apply(&mut pixels, [32, 32], index);
        pixels
    }

    #[test]
    fn every_corruption_changes_the_image_more_with_each_severity() {
        for kind in CorruptionKind::ALL {
            let distance = |severity| -> f64 {
                let images = (0..20).flat_map(|index| corrupted(kind, severity, index));
                let pairs = images.zip(image().into_iter().cycle());
                pairs.map(|(a, b)| f64::from(a.abs_diff(b))).sum()
            };
            assert!(distance(5) > distance(1), "{kind:?}");
            assert!(distance(5) > 0.0, "{kind:?}");
            assert_eq!(corrupted(kind, 3, 7), corrupted(kind, 3, 7), "{kind:?}");
        }
        assert_eq!(Corruption::all().count(), 35);
        assert_eq!(Corruption::new(CorruptionKind::Shift, 0), None);
        assert_eq!(Corruption::new(CorruptionKind::Shift, 6), None);
    }

    #[test]
    fn noise_has_its_deviation_and_impulses_their_share() {
        let mut pixels = vec![128; 100_000];
        Corruption::new(CorruptionKind::GaussianNoise, 5).unwrap().apply(
            &mut pixels,
            [250, 400],
            1,
        );
        let distances = pixels.iter().map(|&pixel| (f64::from(pixel) - 128.0) / 255.0);
        let deviation = (distances.map(|it| it * it).sum::<f64>() / 100_000.0).sqrt();
        // Five standard errors, and the rounding to bytes.
        assert!((deviation - 0.10).abs() < 0.0015, "{deviation}");

        let mut pixels = vec![128; 100_000];
        Corruption::new(CorruptionKind::ImpulseNoise, 5).unwrap().apply(&mut pixels, [250, 400], 1);
        let count = |value| pixels.iter().filter(|pixel| **pixel == value).count() as f64 / 1e5;
        let (black, white) = (count(0), count(255));
        assert!((black - 0.035).abs() < 0.003 && (white - 0.035).abs() < 0.003, "{black}, {white}");
        assert!((black + white + count(128) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_shift_moves_every_plane_alike_and_fills_with_black() {
        let mut pixels: Vec<u8> = (1..=18).collect(); // two planes of 3x3
        pixels.chunks_exact_mut(9).for_each(|plane| shift(plane, [3, 3], [1, -1]));
        assert_eq!(pixels, [0, 0, 0, 2, 3, 0, 5, 6, 0, 0, 0, 0, 11, 12, 0, 14, 15, 0]);
    }

    #[test]
    fn brightness_keeps_the_hue_and_contrast_the_mean() {
        let mut pixels = vec![100, 0, 50, 0, 0, 0]; // red, green and blue of two pixels
        brighten(&mut pixels, 2, 0.2);
        assert_eq!(pixels, [151, 51, 76, 51, 0, 51]);
        let mut plane = vec![0, 100, 200, 100];
        flatten(&mut plane, 0.5);
        assert_eq!(plane, [50, 100, 150, 100]);
    }

    /// By `corruption_golden.py`.
    const BLURRED: [u8; 48] = include!("corruption_golden.in");

    #[test]
    fn blur_is_that_of_scipy() {
        let mut plane: Vec<u8> =
            (0..48_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        blur(&mut plane, [8, 6], 1.0);
        for (found, expected) in plane.iter().zip(BLURRED) {
            // The sums have another order: one may round to the next byte.
            assert!(found.abs_diff(expected) <= 1, "{plane:?}");
        }
    }
}
