//! A data set: its parts and their selection.

use std::path::PathBuf;

use crate::catalogue::class_names;
use crate::checksum::FileChecksum;
use crate::error::DataError;
use crate::folder::{Part, PictureSet};
use crate::image_dataset::ImageDataset;
use crate::selection::Selection;

/// A data set: training, validation and test images with their class names.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DataSet {
    /// The name of the data set.
    pub name: String,
    /// The folder of its files; `None` for the embedded sample.
    pub folder: Option<PathBuf>,
    /// The name of each class, in the order of the labels.
    pub class_names: Vec<String>,
    /// The training images; empty if the data set is only for testing.
    pub train: ImageDataset,
    /// The images that choose the best checkpoint; `None` if the test images do.
    pub validation: Option<ImageDataset>,
    /// The test images.
    pub test: ImageDataset,
    /// The checksums of its files.
    pub checksums: Vec<FileChecksum>,
    /// Details of a folder of pictures; `None` for other data sets.
    pub pictures: Option<PictureSet>,
}

impl DataSet {
    /// Creates a data set from images in memory. The largest label gives the number of classes.
    pub(crate) fn new(
        name: &str,
        train: ImageDataset,
        test: ImageDataset,
        checksums: Vec<FileChecksum>,
    ) -> Self {
        let labels = train.labels().iter().chain(test.labels());
        let classes = labels.max().map_or(0, |&label| usize::from(label) + 1).max(2);
        Self {
            name: name.to_owned(),
            folder: None,
            class_names: class_names(name, classes),
            train,
            validation: None,
            test,
            checksums,
            pictures: None,
        }
    }

    /// Creates a data set from images in memory.
    ///
    /// ```
    /// use nin_data::{DataSet, ImageDataset, Images};
    ///
    /// # fn main() -> Result<(), nin_data::DataError> {
    /// let images = |count: usize| Images {
    ///     count,
    ///     channels: 1,
    ///     height: 8,
    ///     width: 8,
    ///     pixels: vec![0; count * 64],
    /// };
    /// let train = ImageDataset::new(images(3), vec![0, 1, 1])?;
    /// let test = ImageDataset::new(images(2), vec![0, 1])?;
    /// let data = DataSet::from_images("mine", vec!["cat".into(), "dog".into()], train, test)?;
    /// assert_eq!((data.train.len(), data.test.len()), (3, 2));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`DataError::Inconsistent`] if a label has no class name.
    pub fn from_images(
        name: &str,
        class_names: Vec<String>,
        train: ImageDataset,
        test: ImageDataset,
    ) -> Result<Self, DataError> {
        let largest = train.labels().iter().chain(test.labels()).max().copied();
        if let Some(label) = largest.filter(|&label| usize::from(label) >= class_names.len()) {
            let expected = format!("a class name for each label up to {label}");
            return Err(DataError::Inconsistent { expected, found: class_names.len().to_string() });
        }
        Ok(Self { class_names, ..Self::new(name, train, test, Vec::new()) })
    }

    /// Returns the part that is evaluated after each epoch and chooses the best checkpoint.
    pub fn evaluated_on(&self) -> Part {
        if self.validation.is_some() { Part::Validation } else { Part::Test }
    }

    /// Returns whether the best checkpoint gets a final test, which takes both validation and test images.
    pub fn is_tested_at_the_end(&self) -> bool {
        self.validation.is_some() && !self.test.is_empty()
    }

    /// Returns the number of pictures that were skipped because they cannot be decoded.
    pub fn bad_pictures(&self) -> usize {
        self.pictures.as_ref().map_or(0, |pictures| pictures.bad.len())
    }

    /// Returns the images of a part; empty if there is no such part.
    pub fn part(&self, part: Part) -> ImageDataset {
        match part {
            Part::Train => self.train.clone(),
            Part::Validation => self.validation.clone().unwrap_or_else(|| self.train.part(0..0)),
            Part::Test => self.test.clone(),
        }
    }

    /// Moves every image to the test part, for data that was not trained on.
    #[must_use]
    pub fn as_one_part(self) -> Self {
        let parts = [Some(&self.train), self.validation.as_ref(), Some(&self.test)];
        let test = ImageDataset::joined(parts.into_iter().flatten());
        Self { train: self.train.part(0..0), validation: None, test, ..self }
    }

    /// Keeps the first `limit` images of each part.
    #[must_use]
    pub fn limited(self, limit: usize) -> Self {
        self.limited_by(limit, Selection::First)
    }

    /// Keeps at most `limit` images of each part.
    #[must_use]
    pub fn limited_by(self, limit: usize, selection: Selection) -> Self {
        Self {
            train: selection.first(&self.train, limit),
            validation: self.validation.map(|images| selection.first(&images, limit)),
            test: selection.first(&self.test, limit),
            ..self
        }
    }

    /// Holds out the last `count` training images; they replace the test images.
    #[must_use]
    pub fn held_out(self, count: usize) -> Self {
        self.held_out_by(count, Selection::First)
    }

    /// Holds out `count` training images; they replace the test images.
    #[must_use]
    pub fn held_out_by(self, count: usize, selection: Selection) -> Self {
        let (train, test) = selection.hold_out(&self.train, count);
        Self { train, test, ..self }
    }
}
