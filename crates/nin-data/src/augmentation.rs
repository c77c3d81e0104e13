//! Random changes of training images that leave their class as it is.

use nin_random::{Purpose, Stream, unit};

/// Shares of the image that an erased rectangle has, and its proportions (arXiv:1708.04896, table 1).
const ERASED_AREA: [f32; 2] = [0.02, 0.4];
const ERASED_ASPECT: [f32; 2] = [0.3, 1.0 / 0.3];
/// Rectangles tried until one fits into the image.
const TRIES: u64 = 10;

/// What may happen to a training image, before it is resized. What does happen is a function of
/// seed, epoch and the image's position in its data set: the same whoever prepares the batch.
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
/// assert!((4..=16).contains(&epochs.count())); // about every other time
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Augmentation {
    /// Left and right change places with probability one half.
    pub flip: bool,
    /// Moved by up to so many pixels along each axis; what comes in from outside is black. (The
    /// usual crop of the padded image.)
    pub shift: usize,
    /// The probability that a rectangle is filled with random pixels: random erasing (Zhong, Zheng,
    /// Kang, Li and Yang, arXiv:1708.04896), 2 to 40 % of the image.
    pub erase: f64,
}

/// Where in an image's stream the numbers of each change lie.
const FLIP: u64 = 0;
const SHIFT: u64 = 8;
const ERASE: u64 = 16;
const RECTANGLES: u64 = 32;
const PIXELS: u64 = 1 << 16;

impl Augmentation {
    /// Whether images stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The image as the epoch sees it, in place of what was in `output`; `place` is the epoch and
    /// the image's position in its data set, `size` `[height, width]`. All planes of an image are
    /// flipped, moved and erased alike.
    pub fn apply(
        &self,
        pixels: &[u8],
        size: [usize; 2],
        seed: u64,
        place: [usize; 2],
        output: &mut Vec<u8>,
    ) {
        self.change(pixels, size, seed, place, output, |word| word as u8);
    }

    /// The same of values that were transformed: what comes in is 0, and erased pixels have mean 0 and
    /// deviation 1.
    pub(crate) fn apply_to_values(
        &self,
        values: &[f32],
        size: [usize; 2],
        seed: u64,
        place: [usize; 2],
        output: &mut Vec<f32>,
    ) {
        let spread = 12.0_f32.sqrt(); // of a uniform distribution
        self.change(values, size, seed, place, output, |word| (unit(word) - 0.5) * spread);
    }

    fn change<T: Copy + Default>(
        &self,
        pixels: &[T],
        size: [usize; 2],
        seed: u64,
        place: [usize; 2],
        output: &mut Vec<T>,
        random: impl Fn(u32) -> T,
    ) {
        let [height, width] = size;
        let stream = Stream::new(seed, Purpose::Augmentation, place.map(|part| part as u64));
        let flips = self.flip && stream.word(FLIP) & 1 == 1;
        let [down, right] = [0, 1].map(|axis| self.offset(&stream, axis));
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
        if f64::from(stream.uniform(ERASE)) < self.erase {
            erase(&stream, size, output, random);
        }
    }

    /// From `-shift` to `shift`.
    fn offset(&self, stream: &Stream, axis: u64) -> isize {
        if self.shift == 0 {
            return 0;
        }
        // Each axis has a block of its own: `below` takes a whole one.
        let offset = stream.below(2 * self.shift as u64 + 1, SHIFT + axis);
        offset as isize - self.shift as isize
    }
}

fn erase<T>(
    stream: &Stream,
    [height, width]: [usize; 2],
    pixels: &mut [T],
    random: impl Fn(u32) -> T,
) {
    for rectangle in 0..TRIES {
        let [area, aspect, top, left] = stream.block(RECTANGLES + rectangle).map(unit);
        let area =
            (ERASED_AREA[0] + area * (ERASED_AREA[1] - ERASED_AREA[0])) * (height * width) as f32;
        // Tall and wide ones are as likely.
        let [low, high] = ERASED_ASPECT.map(f32::ln);
        let aspect = (low + aspect * (high - low)).exp();
        let tall = (area * aspect).sqrt().round() as usize;
        let wide = (area / aspect).sqrt().round() as usize;
        if tall == 0 || wide == 0 || tall >= height || wide >= width {
            continue;
        }
        let top = (top * (height - tall + 1) as f32) as usize;
        let left = (left * (width - wide + 1) as f32) as usize;
        for start in (0..pixels.len()).step_by(height * width) {
            for y in top..top + tall {
                for x in left..left + wide {
                    let at = start + y * width + x;
                    pixels[at] = random(stream.word(PIXELS + at as u64));
                }
            }
        }
        return;
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
    fn none_changes_nothing() {
        assert!(Augmentation::default().is_none());
        assert_eq!(augmented(Augmentation::default(), [1, 2]), image());
    }

    #[test]
    fn a_shift_moves_the_image_and_brings_in_black() {
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
            seen.insert(offset.expect("it is the image, moved"));
        }
        assert_eq!(seen.len(), 49);
    }

    #[test]
    fn erasing_changes_one_rectangle_of_a_part_of_the_images() {
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
            // A random pixel may be the old one: a rectangle is nearly full of changes.
            assert!(changed.len() * 10 >= area * 9 - 10, "{} of {area}", changed.len());
            assert!(area <= 340, "{area}"); // 40 % of 784, rounded sides
            erased += 1;
        }
        assert!((150..250).contains(&erased), "{erased}");
    }

    #[test]
    fn all_planes_move_and_are_erased_alike() {
        let all = Augmentation { flip: true, shift: 4, erase: 1.0 };
        let planes = [image(), image()].concat();
        for index in 0..50 {
            let mut output = Vec::new();
            all.apply(&planes, SIZE, 7, [1, index], &mut output);
            let (first, second) = output.split_at(784);
            assert_eq!(first, augmented(all, [1, index]));
            // Where they were not erased, they are the same; where they were, each has its own pixels.
            let kept = augmented(Augmentation { erase: 0.0, ..all }, [1, index]);
            let is_erased = |plane: &[u8]| -> Vec<bool> {
                plane.iter().zip(&kept).map(|(value, kept)| value != kept).collect()
            };
            let (one, other) = (is_erased(first), is_erased(second));
            let differences = one.iter().zip(&other).filter(|(one, other)| one != other).count();
            assert!(first != second && differences < 12, "{differences} of chance");
        }
    }

    #[test]
    fn it_is_a_function_of_seed_epoch_and_image() {
        let all = Augmentation { flip: true, shift: 4, erase: 0.5 };
        assert_eq!(augmented(all, [2, 9]), augmented(all, [2, 9]));
        assert_ne!(augmented(all, [2, 9]), augmented(all, [3, 9]));
        assert_ne!(augmented(all, [2, 9]), augmented(all, [2, 10]));
    }
}
