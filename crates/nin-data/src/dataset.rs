//! Images and labels behind burn-dataset's `Dataset` trait.

use std::ops::Range;
use std::sync::Arc;

use burn_dataset::Dataset;
use burn_dataset::vision::MnistItem;

use crate::IdxImages;

/// One grey image of any size, with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageItem {
    /// Row after row; 0 is black.
    pub pixels: Vec<u8>,
    /// Height, in pixels.
    pub height: usize,
    /// Width, in pixels.
    pub width: usize,
    /// The class.
    pub label: u8,
}

/// A part of the images of a file, with their labels; clones share the pixels.
///
/// It is a `Dataset<ImageItem>`, and where images are 28x28 also burn-dataset's own
/// `Dataset<MnistItem>`.
#[derive(Debug, Clone)]
pub struct IdxDataset {
    images: Arc<IdxImages>,
    labels: Arc<[u8]>,
    range: Range<usize>,
}

impl IdxDataset {
    /// Images with as many labels; labels without an image, or images without a label, are left
    /// out.
    pub fn new(images: IdxImages, labels: Vec<u8>) -> Self {
        let count = images.count.min(labels.len());
        Self { images: Arc::new(images), labels: labels.into(), range: 0..count }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// `[height, width]` of every image, in pixels.
    pub fn image_size(&self) -> [usize; 2] {
        [self.images.height, self.images.width]
    }

    /// The labels, image after image.
    pub fn labels(&self) -> &[u8] {
        &self.labels[self.range.clone()]
    }

    /// Pixels and label of an image, or `None` beyond the last.
    pub fn image(&self, index: usize) -> Option<(&[u8], u8)> {
        let at = self.range.start.checked_add(index).filter(|at| self.range.contains(at))?;
        let size = self.images.height * self.images.width;
        Some((&self.images.pixels[at * size..(at + 1) * size], self.labels[at]))
    }

    /// The images of a range of positions, cut to those that there are.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let clamp = |at: usize| self.range.start + at.min(self.len());
        let (start, end) = (clamp(range.start), clamp(range.end));
        Self { range: start..end.max(start), ..self.clone() }
    }
}

impl Dataset<ImageItem> for IdxDataset {
    fn get(&self, index: usize) -> Option<ImageItem> {
        let (pixels, label) = self.image(index)?;
        let [height, width] = self.image_size();
        Some(ImageItem { pixels: pixels.to_vec(), height, width, label })
    }

    fn len(&self) -> usize {
        self.range.len()
    }
}

/// burn-dataset's MNIST item has room for 28x28 pixels: other sizes have no items here.
impl Dataset<MnistItem> for IdxDataset {
    fn get(&self, index: usize) -> Option<MnistItem> {
        const SIDE: usize = 28;
        if self.image_size() != [SIDE, SIDE] {
            return None;
        }
        let (pixels, label) = self.image(index)?;
        let mut image = [[0.0; SIDE]; SIDE];
        for (row, pixels) in image.iter_mut().zip(pixels.chunks_exact(SIDE)) {
            for (value, &pixel) in row.iter_mut().zip(pixels) {
                *value = f32::from(pixel);
            }
        }
        Some(MnistItem { image, label })
    }

    fn len(&self) -> usize {
        if self.image_size() == [28, 28] { self.range.len() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three(side: usize) -> IdxDataset {
        let pixels = (0..3 * side * side).map(|value| value as u8).collect();
        IdxDataset::new(IdxImages { count: 3, height: side, width: side, pixels }, vec![2, 0, 1])
    }

    #[test]
    fn parts_keep_labels_with_their_images() {
        let part = three(2).part(1..9);
        assert_eq!(part.len(), 2);
        assert_eq!(part.image(0), Some((&[4, 5, 6, 7][..], 0)));
        assert_eq!(part.image(2), None);
        assert_eq!(part.part(1..2).labels(), [1]);
    }

    #[test]
    fn mnist_items_have_the_same_pixels() {
        let dataset = three(28);
        let item: MnistItem = dataset.get(1).unwrap();
        let own: ImageItem = dataset.get(1).unwrap();
        let flat: Vec<u8> = item.image.iter().flatten().map(|&value| value as u8).collect();
        assert_eq!((flat, item.label), (own.pixels, own.label));
        assert_eq!(Dataset::<MnistItem>::len(&three(2)), 0);
    }
}
