//! Division of batches into parts of consecutive images.

use std::ops::Range;
use std::sync::Arc;

/// One of several parts of consecutive images that each batch is divided into.
///
/// The part depends only on these two numbers and on the number of images, so that every process divides a batch
/// alike. Shares nest: part `i` of `n` holds the same images as the parts `i * k` to `(i + 1) * k - 1` of `n * k`.
///
/// ```
/// use nin_data::Share;
///
/// let shares = [0, 1, 2, 3].map(|index| Share { index, of: 4 }.positions(10));
/// assert_eq!(shares, [0..2, 2..5, 5..7, 7..10]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The position of the part, counted from 0.
    pub index: usize,
    /// The number of parts, at least 1.
    pub of: usize,
}

impl Share {
    /// The only part of a batch that is not divided.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Returns both halves: the parts that hold the first and the second half of the images of this one.
    #[must_use]
    pub fn halves(self) -> [Self; 2] {
        let Self { index, of } = self;
        [0, 1].map(|half| Self { index: 2 * index + half, of: 2 * of })
    }

    /// Returns the positions of the part in a batch of this many images. Empty if there are fewer images than parts.
    pub fn positions(self, images: usize) -> Range<usize> {
        let Self { index, of } = self;
        index * images / of..(index + 1) * images / of
    }
}

/// The place of a part in its batch, for everything that depends on the whole batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The position of the part's first image, counted from 0.
    pub first: usize,
    /// The classes of all images of the batch, before mixing.
    pub labels: Arc<[usize]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_a_batch_in_order_and_nest() {
        for images in 0..40 {
            for of in [1, 2, 4, 8, 16] {
                let positions = |of, index| Share { index, of }.positions(images);
                let all: Vec<usize> = (0..of).flat_map(|index| positions(of, index)).collect();
                assert_eq!(all, (0..images).collect::<Vec<_>>());
                for index in 0..of {
                    let [left, right] =
                        Share { index, of }.halves().map(|half| half.positions(images));
                    assert_eq!(positions(of, index), left.start..right.end);
                    assert_eq!(left.end, right.start);
                }
            }
        }
    }
}
