//! Images and labels behind burn-dataset's `Dataset` trait.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use burn_dataset::Dataset;
#[cfg(feature = "mnist-item")]
use burn_dataset::vision::MnistItem;

use crate::DataError;
use crate::folder::PictureStore;

/// Images of one size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    pub label: u16,
}

/// An image of a data set: borrowed where the data set is in memory, decoded where it is pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageView<'a> {
    /// Plane after plane, row after row; 0 is black.
    pub pixels: Cow<'a, [u8]>,
    /// `[height, width]`, in pixels.
    pub size: [usize; 2],
    /// The class.
    pub label: u16,
}

/// Labelled images, in memory or as picture files that are decoded when asked for; clones share them.
///
/// It is a `Dataset<ImageItem>`, and with the feature `mnist-item`, where images are grey and 28x28,
/// also burn-dataset's own `Dataset<MnistItem>`.
#[derive(Debug, Clone)]
pub struct ImageDataset {
    source: Source,
    /// Which of the source's images these are.
    positions: Arc<[u32]>,
    /// Their classes.
    labels: Arc<[u16]>,
    /// The part of both that is meant.
    range: Range<usize>,
}

#[derive(Debug, Clone)]
enum Source {
    Memory(Arc<Images>),
    Pictures(Arc<PictureStore>),
}

impl ImageDataset {
    /// Images in memory with their labels.
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] where there are more or fewer pixels than images of that size
    /// have, or more or fewer labels than images.
    pub fn new(images: Images, labels: Vec<u16>) -> Result<Self, DataError> {
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
        let positions = (0..count as u32).collect();
        Ok(Self::of(Source::Memory(Arc::new(images)), positions, labels))
    }

    /// Pictures of a store, by their positions there, with their labels.
    pub(crate) fn of_pictures(
        store: &Arc<PictureStore>,
        positions: Vec<u32>,
        labels: Vec<u16>,
    ) -> Self {
        Self::of(Source::Pictures(Arc::clone(store)), positions, labels)
    }

    fn of(source: Source, positions: Vec<u32>, labels: Vec<u16>) -> Self {
        let range = 0..positions.len().min(labels.len());
        Self { source, positions: positions.into(), labels: labels.into(), range }
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
        match &self.source {
            Source::Memory(images) => images.channels,
            Source::Pictures(store) => store.channels(),
        }
    }

    /// `[height, width]` of every image, in pixels; `None` where pictures have sizes of their own.
    pub fn image_size(&self) -> Option<[usize; 2]> {
        match &self.source {
            Source::Memory(images) => Some([images.height, images.width]),
            Source::Pictures(_) => None,
        }
    }

    /// The labels, image after image.
    pub fn labels(&self) -> &[u16] {
        &self.labels[self.range.clone()]
    }

    /// The image at a position, with its label. A picture is read from the cache or decoded.
    ///
    /// # Errors
    /// [`DataError::NoImage`] beyond the last image; where it is a picture, [`DataError::Read`],
    /// [`DataError::Picture`] and [`DataError::PictureChanged`].
    pub fn image(&self, index: usize) -> Result<ImageView<'_>, DataError> {
        let at = self.range.start.checked_add(index).filter(|at| self.range.contains(at));
        let at = at.ok_or(DataError::NoImage { index, count: self.len() })?;
        let (position, label) = (self.positions[at] as usize, self.labels[at]);
        match &self.source {
            Source::Memory(images) => {
                let size = images.channels * images.height * images.width;
                let pixels = &images.pixels[position * size..(position + 1) * size];
                let pixels = Cow::Borrowed(pixels);
                Ok(ImageView { pixels, size: [images.height, images.width], label })
            }
            Source::Pictures(store) => {
                let (pixels, size) = store.load(position)?;
                Ok(ImageView { pixels: Cow::Owned(pixels), size, label })
            }
        }
    }

    /// The name of an image's file, relative to the data set's folder; `None` for images in memory.
    pub fn file_name(&self, index: usize) -> Option<&str> {
        let position = *self.positions[self.range.clone()].get(index)?;
        match &self.source {
            Source::Memory(_) => None,
            Source::Pictures(store) => store.file_name(position as usize),
        }
    }

    /// The images of a range of positions, cut to those that there are.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let clamp = |at: usize| self.range.start + at.min(self.len());
        let (start, end) = (clamp(range.start), clamp(range.end));
        Self { range: start..end.max(start), ..self.clone() }
    }

    /// The images at these positions, in this order; positions beyond the last are left out.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let chosen = || indices.iter().filter(|&&index| index < self.len());
        let at = |index: &usize| self.range.start + index;
        Self::of(
            self.source.clone(),
            chosen().map(|index| self.positions[at(index)]).collect(),
            chosen().map(|index| self.labels[at(index)]).collect(),
        )
    }

    /// The images of parts of one source, in the order of the source.
    pub(crate) fn joined<'a>(parts: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let source = parts.clone().map(|part| part.source.clone()).next();
        let mut pairs: Vec<(u32, u16)> = parts
            .flat_map(|part| {
                let positions = part.positions[part.range.clone()].iter().copied();
                positions.zip(part.labels().iter().copied())
            })
            .collect();
        pairs.sort_unstable();
        let (positions, labels) = pairs.into_iter().unzip();
        let nothing = || Source::Memory(Arc::new(Images::default()));
        Self::of(source.unwrap_or_else(nothing), positions, labels)
    }

    /// The same images with the label that `map` gives for theirs; those without one are left out.
    #[must_use]
    pub fn relabelled(&self, map: &[Option<u16>]) -> Self {
        let new = |label: u16| map.get(usize::from(label)).copied().flatten();
        let pairs = self.positions[self.range.clone()].iter().zip(self.labels());
        let (positions, labels) =
            pairs.filter_map(|(&position, &label)| Some((position, new(label)?))).unzip();
        Self::of(self.source.clone(), positions, labels)
    }
}

impl Dataset<ImageItem> for ImageDataset {
    /// `None` beyond the last image, and where a picture cannot be decoded: [`ImageDataset::image`]
    /// says why.
    fn get(&self, index: usize) -> Option<ImageItem> {
        let ImageView { pixels, size: [height, width], label } = self.image(index).ok()?;
        let channels = self.channels();
        Some(ImageItem { pixels: pixels.into_owned(), channels, height, width, label })
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
        if self.channels() != 1 || self.image_size() != Some([SIDE, SIDE]) {
            return None;
        }
        let ImageView { pixels, label, .. } = self.image(index).ok()?;
        let mut image = [[0.0; SIDE]; SIDE];
        for (row, pixels) in image.iter_mut().zip(pixels.chunks_exact(SIDE)) {
            for (value, &pixel) in row.iter_mut().zip(pixels) {
                *value = f32::from(pixel);
            }
        }
        Some(MnistItem { image, label: u8::try_from(label).ok()? })
    }

    fn len(&self) -> usize {
        let has_items = self.channels() == 1 && self.image_size() == Some([28, 28]);
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
        let first = part.image(0).unwrap();
        assert_eq!((&first.pixels[..], first.label), (&[4, 5, 6, 7][..], 0));
        assert!(matches!(part.image(2), Err(DataError::NoImage { index: 2, count: 2 })));
        assert_eq!(part.part(1..2).labels(), [1]);
    }

    #[test]
    fn a_selection_and_new_labels_keep_images_with_their_labels() {
        let chosen = three(2).select(&[2, 0, 9]);
        assert_eq!(chosen.labels(), [1, 2]);
        assert_eq!(chosen.image(0).unwrap().pixels[0], 8);
        let known = three(2).relabelled(&[Some(5), None, Some(7)]);
        assert_eq!(known.labels(), [7, 5]);
        assert_eq!(known.image(1).unwrap().pixels[0], 4);
    }

    #[cfg(feature = "mnist-item")]
    #[test]
    fn mnist_items_have_the_same_pixels() {
        let dataset = three(28);
        let item: MnistItem = dataset.get(1).unwrap();
        let own: ImageItem = dataset.get(1).unwrap();
        let flat: Vec<u8> = item.image.iter().flatten().map(|&value| value as u8).collect();
        assert_eq!((flat, u16::from(item.label)), (own.pixels, own.label));
        assert_eq!(Dataset::<MnistItem>::len(&three(2)), 0);
    }
}
