//! Image augmentation: random changes to training images that keep the class.

mod colour;
mod crop;
mod erase;
#[cfg(test)]
mod golden;
mod rotation;

use nin_random::{Purpose, Stream, unit};

use self::colour::ColourChange;
use self::crop::Crop;
use self::erase::erase;
pub(crate) use self::rotation::rotate;

/// The augmentation of training images, before they are resized. All draws depend only on the seed, the epoch
/// and the position of the image in its data set, so every data loader worker draws the same.
///
/// ```
/// use nin_data::Augmentation;
///
/// let augmentation = Augmentation { flip: true, ..Augmentation::default() };
/// let mut flipped = Vec::new();
/// let epochs = (1..=20).filter(|&epoch| {
///     augmentation.apply(&[1, 2, 3, 4], [2, 2], 42, [epoch, 0], &mut flipped);
///     flipped == [2, 1, 4, 3]
/// });
/// assert!((4..=16).contains(&epochs.count())); // about half of the epochs
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Augmentation {
    /// Whether to flip images horizontally with probability 0.5.
    pub flip: bool,
    /// The largest shift along each axis, in pixels; black fills the border. (The usual random crop of the
    /// padded image.)
    pub shift: usize,
    /// The probability of random erasing (Zhong, Zheng, Kang, Li and Yang, arXiv:1708.04896), which fills a
    /// rectangle of 2 to 40 % of the image with random pixels.
    pub erase: f64,
    /// The smallest share of the image that a random crop covers, with an aspect ratio from 3:4 to 4:3:
    /// torchvision's `RandomResizedCrop`. `None` keeps the whole image.
    pub crop: Option<f64>,
    /// The largest rotation in either direction, in degrees; black fills the corners: torchvision's
    /// `RandomRotation`.
    pub rotation: f64,
    /// Random colour changes.
    pub colour: ColourJitter,
}

/// torchvision's `ColorJitter`: scales brightness, contrast and saturation by random factors around 1 and
/// shifts the hue, in random order.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ColourJitter {
    /// The largest distance of the brightness factor from 1; 0 disables it.
    pub brightness: f64,
    /// The largest distance of the contrast factor from 1; 0 disables it.
    pub contrast: f64,
    /// The largest distance of the saturation factor from 1; 0 disables it. Grey images do not change.
    pub saturation: f64,
    /// The largest hue shift, as a share of the colour circle in `[0, 0.5]`. Grey images do not change.
    pub hue: f64,
}

impl ColourJitter {
    /// Draws the changes of an image, in random order.
    fn draw(&self, stream: &Stream) -> Vec<ColourChange> {
        if *self == Self::default() {
            return Vec::new();
        }
        let drawn = stream.block(COLOURS).map(|word| f64::from(unit(word)));
        let between = |low: f64, high: f64, share: f64| (low + share * (high - low)) as f32;
        let factor = |spread: f64, share: f64| {
            (spread > 0.0).then(|| between((1.0 - spread).max(0.0), 1.0 + spread, share))
        };
        let changes = [
            factor(self.brightness, drawn[0]).map(ColourChange::Brightness),
            factor(self.contrast, drawn[1]).map(ColourChange::Contrast),
            factor(self.saturation, drawn[2]).map(ColourChange::Saturation),
            (self.hue > 0.0).then(|| ColourChange::Hue(between(-self.hue, self.hue, drawn[3]))),
        ];
        let mut order = [0, 1, 2, 3];
        for last in (1..4).rev() {
            order.swap(last, stream.below(last as u64 + 1, COLOUR_ORDER + last as u64) as usize);
        }
        order.into_iter().filter_map(|at| changes[at]).collect()
    }
}

/// Positions of the draws in the random stream of an image.
const FLIP: u64 = 0;
const SHIFT: u64 = 8;
const ERASE: u64 = 16;
const CROP: u64 = 256;
const ROTATION: u64 = 512;
const COLOURS: u64 = 160; // a block number, like COLOUR_ORDER
const COLOUR_ORDER: u64 = 176;

/// Returns the random stream of an image in an epoch.
fn stream(seed: u64, place: [usize; 2]) -> Stream {
    Stream::new(seed, Purpose::Augmentation, place.map(|part| part as u64))
}

impl Augmentation {
    /// Returns whether images stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Augments an image and replaces the content of `output` by the result. `pixels` is
    /// `[channels, height, width]`, `size` is `[height, width]`, and `place` is the epoch and the position of
    /// the image in its data set. Flip, shift, rotation and erasing treat all planes alike. Does not crop;
    /// the data loader crops first.
    ///
    /// # Panics
    /// Panics if a side is 0.
    pub fn apply(
        &self,
        pixels: &[u8],
        size: [usize; 2],
        seed: u64,
        place: [usize; 2],
        output: &mut Vec<u8>,
    ) {
        let stream = stream(seed, place);
        self.move_image(&stream, pixels, size, output);
        self.turn_and_recolour(&stream, size, output);
        self.erase_part(&stream, size, output, |word| word as u8);
    }

    /// Rotates and recolours the bytes of an image. [`Augmentation::apply_to_values`] does the rest after
    /// preprocessing.
    pub(crate) fn apply_before_transform(
        &self,
        pixels: &[u8],
        size: [usize; 2],
        seed: u64,
        place: [usize; 2],
        output: &mut Vec<u8>,
    ) {
        output.clear();
        output.extend_from_slice(pixels);
        self.turn_and_recolour(&stream(seed, place), size, output);
    }

    /// Draws the crop of an image of `[height, width]`, or `None` for the whole image.
    pub(crate) fn crop_of(&self, size: [usize; 2], seed: u64, place: [usize; 2]) -> Option<Crop> {
        Some(Crop::draw(self.crop?, size, &stream(seed, place), CROP))
    }

    /// Flips, shifts and erases preprocessed values. The border is filled with 0; erased pixels have mean 0
    /// and standard deviation 1.
    pub(crate) fn apply_to_values(
        &self,
        values: &[f32],
        size: [usize; 2],
        seed: u64,
        place: [usize; 2],
        output: &mut Vec<f32>,
    ) {
        let spread = 12.0_f32.sqrt(); // the width of a uniform distribution with deviation 1
        let stream = stream(seed, place);
        self.move_image(&stream, values, size, output);
        self.erase_part(&stream, size, output, |word| (unit(word) - 0.5) * spread);
    }

    fn move_image<T: Copy + Default>(
        &self,
        stream: &Stream,
        pixels: &[T],
        size: [usize; 2],
        output: &mut Vec<T>,
    ) {
        let [height, width] = size;
        let flips = self.flip && stream.word(FLIP) & 1 == 1;
        let [down, right] = [0, 1].map(|axis| self.offset(stream, axis));
        output.clear();
        output.resize(pixels.len(), T::default());
        let planes = pixels.chunks_exact(height * width);
        for (plane, output) in planes.zip(output.chunks_exact_mut(height * width)) {
            for (y, row) in output.chunks_exact_mut(width).enumerate() {
                let Some(from_y) = y.checked_add_signed(-down).filter(|&y| y < height) else {
                    continue;
                };
                let from = &plane[from_y * width..][..width];
                for (x, value) in row.iter_mut().enumerate() {
                    let x = if flips { width - 1 - x } else { x };
                    if let Some(&pixel) = x.checked_add_signed(-right).and_then(|x| from.get(x)) {
                        *value = pixel;
                    }
                }
            }
        }
    }

    fn turn_and_recolour(&self, stream: &Stream, size: [usize; 2], pixels: &mut [u8]) {
        let plane = size[0] * size[1];
        if self.rotation > 0.0 {
            let degrees = (2.0 * f64::from(stream.uniform(ROTATION)) - 1.0) * self.rotation;
            let original = pixels.to_vec();
            for (from, to) in original.chunks_exact(plane).zip(pixels.chunks_exact_mut(plane)) {
                rotation::rotate(from, size, degrees, to);
            }
        }
        for change in self.colour.draw(stream) {
            change.apply(pixels, plane);
        }
    }

    fn erase_part<T>(
        &self,
        stream: &Stream,
        size: [usize; 2],
        pixels: &mut [T],
        random: impl Fn(u32) -> T,
    ) {
        if f64::from(stream.uniform(ERASE)) < self.erase {
            erase(stream, size, pixels, random);
        }
    }

    /// Draws an offset from `-shift` to `shift`.
    fn offset(&self, stream: &Stream, axis: u64) -> isize {
        if self.shift == 0 {
            return 0;
        }
        // Each axis uses its own position, because `below` consumes a whole block.
        let offset = stream.below(2 * self.shift as u64 + 1, SHIFT + axis);
        offset as isize - self.shift as isize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [usize; 2] = [28, 28];

    fn image() -> Vec<u8> {
        (0..784).map(|at| (at % 255) as u8 + 1).collect()
    }

    fn augmented(augmentation: Augmentation, place: [usize; 2]) -> Vec<u8> {
        let mut output = Vec::new();
        augmentation.apply(&image(), SIZE, 7, place, &mut output);
        output
    }

    #[test]
    fn the_default_changes_nothing() {
        assert!(Augmentation::default().is_none());
        assert_eq!(augmented(Augmentation::default(), [1, 2]), image());
    }

    #[test]
    fn a_shift_moves_the_image_and_fills_with_black() {
        let shift = Augmentation { shift: 3, ..Augmentation::default() };
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..500 {
            let output = augmented(shift, [1, index]);
            let offset = (-3..=3_isize)
                .flat_map(|down| (-3..=3_isize).map(move |right| (down, right)))
                .find(|&(down, right)| {
                    (0..784).all(|at| {
                        let (y, x) = (at / 28 - down, at % 28 - right);
                        let inside = (0..28).contains(&y) && (0..28).contains(&x);
                        let expected = if inside { image()[(y * 28 + x) as usize] } else { 0 };
                        output[at as usize] == expected
                    })
                });
            seen.insert(offset.expect("a shifted image"));
        }
        assert_eq!(seen.len(), 49);
    }

    #[test]
    fn erasing_changes_one_rectangle_in_some_images() {
        let erase = Augmentation { erase: 0.5, ..Augmentation::default() };
        let original = image();
        let mut erased = 0;
        for index in 0..400 {
            let output = augmented(erase, [3, index]);
            let changed: Vec<_> = (0..784).filter(|&at| output[at] != original[at]).collect();
            let (Some(top), Some(bottom)) =
                (changed.iter().map(|at| at / 28).min(), changed.iter().map(|at| at / 28).max())
            else {
                continue;
            };
            let left = changed.iter().map(|at| at % 28).min().unwrap();
            let right = changed.iter().map(|at| at % 28).max().unwrap();
            let area = (bottom - top + 1) * (right - left + 1);
            // A random pixel may equal the old one, so not every pixel of the rectangle changes.
            assert!(changed.len() * 10 >= area * 9 - 10, "{} of {area}", changed.len());
            assert!(area <= 340, "{area}"); // 40 % of 784, plus rounding of the sides
            erased += 1;
        }
        assert!((150..250).contains(&erased), "{erased}");
    }

    #[test]
    fn all_planes_are_moved_and_erased_alike() {
        let all = Augmentation { flip: true, shift: 4, erase: 1.0, ..Augmentation::default() };
        let planes = [image(), image()].concat();
        for index in 0..50 {
            let mut output = Vec::new();
            all.apply(&planes, SIZE, 7, [1, index], &mut output);
            let (first, second) = output.split_at(784);
            assert_eq!(first, augmented(all, [1, index]));
            // Planes agree outside the erased rectangle; inside, each has its own random pixels.
            let kept = augmented(Augmentation { erase: 0.0, ..all }, [1, index]);
            let is_erased = |plane: &[u8]| -> Vec<bool> {
                plane.iter().zip(&kept).map(|(value, kept)| value != kept).collect()
            };
            let (one, other) = (is_erased(first), is_erased(second));
            let differences = one.iter().zip(&other).filter(|(one, other)| one != other).count();
            assert!(first != second && differences < 12, "{differences} differences");
        }
    }

    #[test]
    fn augmentation_depends_only_on_seed_epoch_and_image() {
        let all = Augmentation { flip: true, shift: 4, erase: 0.5, ..Augmentation::default() };
        assert_eq!(augmented(all, [2, 9]), augmented(all, [2, 9]));
        assert_ne!(augmented(all, [2, 9]), augmented(all, [3, 9]));
        assert_ne!(augmented(all, [2, 9]), augmented(all, [2, 10]));
    }
}
