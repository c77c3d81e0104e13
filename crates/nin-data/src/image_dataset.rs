//! Images and labels as burn-dataset's `Dataset`.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use burn_dataset::Dataset;
#[cfg(feature = "mnist-item")]
use burn_dataset::vision::MnistItem;

use crate::DataError;
use crate::folder::PictureStore;

/// Images of one size, in memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Images {
    /// Number of images.
    pub count: usize,
    /// Channels of each image: 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// Height, in pixels.
    pub height: usize,
    /// Width, in pixels.
    pub width: usize,
    /// `[images, channels, height, width]` in row-major order; 0 is black.
    pub pixels: Vec<u8>,
}

/// One image of any size, with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageItem {
    /// `[channels, height, width]` in row-major order; 0 is black.
    pub pixels: Vec<u8>,
    /// Channels: 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// Height, in pixels.
    pub height: usize,
    /// Width, in pixels.
    pub width: usize,
    /// The class.
    pub label: u16,
}

/// An image of a data set: borrowed if the data set is in memory, owned if it was decoded from a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageView<'a> {
    /// `[channels, height, width]` in row-major order; 0 is black.
    pub pixels: Cow<'a, [u8]>,
    /// `[height, width]`, in pixels.
    pub size: [usize; 2],
    /// The class.
    pub label: u16,
}

/// Labelled images, in memory or as picture files that are decoded on demand. Clones share them.
///
/// Implements `Dataset<ImageItem>`. With the feature `mnist-item` it also implements burn-dataset's
/// `Dataset<MnistItem>` for grey 28x28 images.
#[derive(Debug, Clone)]
pub struct ImageDataset {
    source: Source,
    /// The position of each image in the source.
    positions: Arc<[u32]>,
    /// The class of each image.
    labels: Arc<[u16]>,
    /// The range of both that this data set covers.
    range: Range<usize>,
}

#[derive(Debug, Clone)]
enum Source {
    Memory(Arc<Images>),
    Pictures(Arc<PictureStore>),
}

impl ImageDataset {
    /// Creates a data set from images in memory and their labels.
    ///
    /// # Errors
    /// Returns [`DataError::Inconsistent`] if the number of pixels does not match the images, or the number
    /// of labels does not match the number of images.
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

    /// Creates a data set from pictures of a store, given their positions and labels.
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

    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Returns whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Returns the number of channels of every image: 1 (grey) or 3 (red, green, blue).
    pub fn channels(&self) -> usize {
        match &self.source {
            Source::Memory(images) => images.channels,
            Source::Pictures(store) => store.channels(),
        }
    }

    /// Returns the `[height, width]` of every image in pixels, or `None` if pictures differ in size.
    pub fn image_size(&self) -> Option<[usize; 2]> {
        match &self.source {
            Source::Memory(images) => Some([images.height, images.width]),
            Source::Pictures(_) => None,
        }
    }

    /// Returns the label of each image.
    pub fn labels(&self) -> &[u16] {
        &self.labels[self.range.clone()]
    }

    /// Returns the image at a position, with its label. A picture is read from the cache or decoded.
    ///
    /// # Errors
    /// Returns [`DataError::NoImage`] beyond the last image. A picture can also fail with
    /// [`DataError::Read`], [`DataError::Picture`] or [`DataError::PictureChanged`].
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

    /// Returns the path of an image's file, relative to the folder of the data set; `None` for images in
    /// memory.
    pub fn file_name(&self, index: usize) -> Option<&str> {
        let position = *self.positions[self.range.clone()].get(index)?;
        match &self.source {
            Source::Memory(_) => None,
            Source::Pictures(store) => store.file_name(position as usize),
        }
    }

    /// Returns the images in a range of positions, clamped to the existing ones.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let clamp = |at: usize| self.range.start + at.min(self.len());
        let (start, end) = (clamp(range.start), clamp(range.end));
        Self { range: start..end.max(start), ..self.clone() }
    }

    /// Returns the images at these positions, in this order. Skips positions beyond the last image.
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

    /// Joins parts of one source, in the order of the source.
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

    /// Replaces each label by `map[label]`. Drops images whose label maps to `None`.
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
    /// Returns `None` beyond the last image and for a picture that cannot be decoded;
    /// [`ImageDataset::image`] returns the error.
    fn get(&self, index: usize) -> Option<ImageItem> {
        let ImageView { pixels, size: [height, width], label } = self.image(index).ok()?;
        let channels = self.channels();
        Some(ImageItem { pixels: pixels.into_owned(), channels, height, width, label })
    }

    fn len(&self) -> usize {
        self.range.len()
    }
}

/// burn-dataset's MNIST item holds 28x28 grey pixels. For other images this data set is empty.
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
    fn pixels_and_labels_must_match_the_images() {
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
    fn selecting_and_relabelling_keep_labels_with_their_images() {
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
