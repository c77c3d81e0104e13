//! Images and labels behind burn-dataset's `Dataset` trait.

use std::ops::Range;
use std::sync::Arc;

use burn_dataset::Dataset;
#[cfg(feature = "mnist-item")]
use burn_dataset::vision::MnistItem;

use crate::DataError;

/// Images of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// Number of images.
    pub count: usize,
    /// Planes of each: 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// Height, in pixels.
    pub height: usize,
    /// Width, in pixels.
    pub width: usize,
    /// Image after image, plane after plane, row after row; 0 is black.
    pub pixels: Vec<u8>,
}

/// One image of any size, with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageItem {
    /// Plane after plane, row after row; 0 is black.
    pub pixels: Vec<u8>,
    /// Planes: 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// Height, in pixels.
    pub height: usize,
    /// Width, in pixels.
    pub width: usize,
    /// The class.
    pub label: u8,
}

/// A part of the images of a file, with their labels; clones share the pixels.
///
/// It is a `Dataset<ImageItem>`, and with the feature `mnist-item`, where images are grey and 28x28,
/// also burn-dataset's own `Dataset<MnistItem>`.
#[derive(Debug, Clone)]
pub struct ImageDataset {
    images: Arc<Images>,
    labels: Arc<[u8]>,
    range: Range<usize>,
}

impl ImageDataset {
    /// Images with their labels.
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] where there are more or fewer pixels than images of that size
    /// have, or more or fewer labels than images.
    pub fn new(images: Images, labels: Vec<u8>) -> Result<Self, DataError> {
        let Images { count, channels, height, width, ref pixels } = images;
        let expected =
            [height, width, count].iter().try_fold(channels, |size, &by| size.checked_mul(by));
        if expected != Some(pixels.len()) || labels.len() != count {
            return Err(DataError::Inconsistent {
                expected: format!(
                    "{count} images of {channels}x{height}x{width} pixels with a label each"
                ),
                found: format!("{} pixels and {} labels", pixels.len(), labels.len()),
            });
        }
        Ok(Self { images: Arc::new(images), labels: labels.into(), range: 0..count })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Planes of every image: 1 (grey) or 3 (red, green, blue).
    pub fn channels(&self) -> usize {
        self.images.channels
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
        let size = self.images.channels * self.images.height * self.images.width;
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

impl Dataset<ImageItem> for ImageDataset {
    fn get(&self, index: usize) -> Option<ImageItem> {
        let (pixels, label) = self.image(index)?;
        let [height, width] = self.image_size();
        let channels = self.channels();
        Some(ImageItem { pixels: pixels.to_vec(), channels, height, width, label })
    }

    fn len(&self) -> usize {
        self.range.len()
    }
}

/// burn-dataset's MNIST item has room for 28x28 grey pixels: other images have no items here.
#[cfg(feature = "mnist-item")]
impl Dataset<MnistItem> for ImageDataset {
    fn get(&self, index: usize) -> Option<MnistItem> {
        const SIDE: usize = 28;
        if self.channels() != 1 || self.image_size() != [SIDE, SIDE] {
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
        let has_items = self.channels() == 1 && self.image_size() == [28, 28];
        if has_items { self.range.len() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three(side: usize) -> ImageDataset {
        let pixels = (0..3 * side * side).map(|value| value as u8).collect();
        ImageDataset::new(
            Images { count: 3, channels: 1, height: side, width: side, pixels },
            vec![2, 0, 1],
        )
        .unwrap()
    }

    #[test]
    fn pixels_and_labels_must_be_those_of_the_images() {
        for (pixels, labels) in [(11, 3), (13, 3), (12, 2), (12, 4)] {
            let images =
                Images { count: 3, channels: 1, height: 2, width: 2, pixels: vec![0; pixels] };
            let error = ImageDataset::new(images, vec![0; labels]).unwrap_err().to_string();
            let found = format!("found {pixels} pixels and {labels} labels");
            assert!(error.ends_with(&found), "{error}");
        }
    }

    #[test]
    fn parts_keep_labels_with_their_images() {
        let part = three(2).part(1..9);
        assert_eq!(part.len(), 2);
        assert_eq!(part.image(0), Some((&[4, 5, 6, 7][..], 0)));
        assert_eq!(part.image(2), None);
        assert_eq!(part.part(1..2).labels(), [1]);
    }

    #[cfg(feature = "mnist-item")]
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
