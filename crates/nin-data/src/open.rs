//! Opens a data set by name or folder.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use crate::catalogue::{CIFAR10, CIFAR100, FASHION_MNIST_SAMPLE, known_classes};
use crate::data_set::DataSet;
use crate::error::DataError;
use crate::folder::{PictureOptions, holds_pictures};
use crate::layout::Layout;
use crate::locations::Locations;
use crate::{read, sample};

impl DataSet {
    /// Opens a data set: from `folder` if given, then the embedded sample of that name, then the first location that
    /// has one of the files.
    ///
    /// In a searched location, a file that differs from its published checksum is an error. In a given
    /// `folder` the difference is only recorded in [`DataSet::checksums`].
    ///
    /// # Errors
    /// Returns [`DataError::Name`] if `name` is not a folder name, [`DataError::NotFound`], and the errors of
    /// reading the files.
    pub fn open(
        name: &str,
        folder: Option<&Path>,
        locations: &Locations,
    ) -> Result<Self, DataError> {
        Self::open_with(name, folder, locations, &PictureOptions::default())
    }

    /// Opens a data set like [`DataSet::open`], with options for a folder of pictures.
    ///
    /// # Errors
    /// Returns the errors of [`DataSet::open`] and [`DataSet::open_pictures`].
    pub fn open_with(
        name: &str,
        folder: Option<&Path>,
        locations: &Locations,
        pictures: &PictureOptions<'_>,
    ) -> Result<Self, DataError> {
        if let Some(folder) = folder {
            check_folder(folder)?;
            let is_expected = matches!(name, CIFAR10 | CIFAR100) || known_classes(name).is_some();
            if Self::is_of_pictures(folder)
                || (Layout::find(folder, name).is_none() && !is_expected)
            {
                return Self::open_pictures(name, folder, pictures);
            }
            return read::read(name, folder, false);
        }
        if name == FASHION_MNIST_SAMPLE {
            return sample::open();
        }
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return Err(DataError::Name { name: name.to_owned() });
        }
        let searched = locations.folders(name);
        let has_a_file = |folder: &&PathBuf| Layout::find(folder, name).is_some();
        match searched.iter().find(has_a_file) {
            Some(folder) => read::read(name, folder, true),
            None => Err(DataError::NotFound {
                name: name.to_owned(),
                folder: locations.writable(name),
                searched,
            }),
        }
    }

    /// Returns whether a folder holds pictures and no files in MNIST's or CIFAR's format.
    pub fn is_of_pictures(folder: &Path) -> bool {
        folder.is_dir() && Layout::find(folder, "").is_none() && holds_pictures(folder)
    }
}

/// Checks that the folder of a data set is a folder.
fn check_folder(folder: &Path) -> Result<(), DataError> {
    let source = match folder.metadata() {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => ErrorKind::NotADirectory.into(),
        Err(error) => error,
    };
    Err(DataError::Read { path: folder.to_owned(), source })
}
