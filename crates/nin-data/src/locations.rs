//! Finds and opens data sets.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use crate::catalogue::{
    CIFAR10, CIFAR100, FASHION_MNIST_SAMPLE, FILES, class_names, known_classes, known_sums,
};
use crate::cifar::{Cifar, Records};
use crate::class_file::read_names;
use crate::files::{find, malformed, open};
use crate::folder::holds_pictures;
use crate::layout::Layout;
use crate::{
    DataError, FileChecksum, ImageDataset, Part, PictureOptions, PictureSet, Selection,
    read_images, read_labels, sample,
};

/// Where distributions install data sets (Debian: `dataset-fashion-mnist`).
const SYSTEM_FOLDER: &str = "/usr/share/datasets";
/// The file with the class names of a data set in MNIST's format, one per line.
const CLASSES_FILE: &str = "classes.txt";

/// The folders that are searched, in this order, if the user names none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locations {
    /// `$NIN_DATA`, which has one folder per data set.
    pub own: Option<PathBuf>,
    /// The cache folder, `$XDG_CACHE_HOME/nin` or `~/.cache/nin`.
    pub cache: Option<PathBuf>,
    /// The folder where system packages install data sets.
    pub system: Option<PathBuf>,
}

impl Locations {
    /// Reads the locations from the environment of the process.
    pub fn from_environment() -> Self {
        let folder =
            |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
        Self {
            own: folder("NIN_DATA"),
            cache: cache.map(|cache| cache.join("nin")),
            system: Some(SYSTEM_FOLDER.into()),
        }
    }

    /// Returns the folders to search for a data set, in order.
    fn folders(&self, name: &str) -> Vec<PathBuf> {
        [&self.own, &self.cache, &self.system]
            .into_iter()
            .flatten()
            .map(|folder| folder.join(name))
            .collect()
    }

    /// Returns the folder where a user can put a data set of this name, or `None` without a home directory.
    pub fn writable(&self, name: &str) -> Option<PathBuf> {
        self.own.as_ref().or(self.cache.as_ref()).map(|folder| folder.join(name))
    }
}

/// A data set: training, validation and test images with their class names.
#[derive(Debug, Clone)]
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
    /// Opens a data set: from `folder` if one is given, else the embedded sample if `name` is its name, else
    /// from the first location that has one of the files.
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
            return Self::read(name, folder, false);
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
            Some(folder) => Self::read(name, folder, true),
            None => Err(DataError::NotFound {
                name: name.to_owned(),
                folder: locations.writable(name),
                searched,
            }),
        }
    }

    /// Returns the part that is evaluated after each epoch and chooses the best checkpoint.
    pub fn evaluated_on(&self) -> Part {
        if self.validation.is_some() { Part::Validation } else { Part::Test }
    }

    /// Returns whether the best checkpoint is tested at the end: validation images chose it and there are
    /// test images.
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

    /// Returns whether a folder holds pictures and no files in MNIST's or CIFAR's format.
    pub fn is_of_pictures(folder: &Path) -> bool {
        folder.is_dir() && Layout::find(folder, "").is_none() && holds_pictures(folder)
    }

    fn read(name: &str, folder: &Path, sums_bind: bool) -> Result<Self, DataError> {
        let (layout, folder) = Layout::find(folder, name)
            .unwrap_or_else(|| (Layout::expected(name), folder.to_owned()));
        let paths = layout.paths(&folder, name)?;
        match layout {
            Layout::Idx => Self::read_idx(name, &folder, &paths, sums_bind),
            Layout::Cifar(kind) => Self::read_cifar(name, &folder, &paths, kind),
        }
    }

    fn read_idx(
        name: &str,
        folder: &Path,
        paths: &[PathBuf],
        sums_bind: bool,
    ) -> Result<Self, DataError> {
        let sums = known_sums(name);
        let mut checksums = Vec::new();
        let mut check = |index: usize, sha256: String| {
            let expected = sums.map(|sums| sums[index]);
            if let Some(expected) = expected.filter(|expected| sums_bind && *expected != sha256) {
                return Err(DataError::Checksum {
                    path: paths[index].clone(),
                    expected,
                    found: sha256,
                });
            }
            let known = expected.map(|expected| expected == sha256);
            checksums.push(FileChecksum { name: FILES[index].to_owned(), sha256, known });
            Ok(())
        };
        let mut split = |images_at: usize| {
            let labels_at = images_at + 1;
            let (images, sum) = read_images(&paths[images_at])?;
            check(images_at, sum)?;
            let (labels, sum) = read_labels(&paths[labels_at])?;
            check(labels_at, sum)?;
            if images.count != labels.len() {
                return Err(DataError::Unequal {
                    path: paths[labels_at].clone(),
                    images: images.count,
                    labels: labels.len(),
                });
            }
            check_labels(name, &paths[labels_at], &labels)?;
            ImageDataset::new(images, labels.into_iter().map(u16::from).collect())
        };
        let (train, test) = (split(0)?, split(2)?);
        let [expected, found] = [&train, &test].map(|part| part.image_size().unwrap_or_default());
        if expected != found {
            return Err(DataError::Sizes { folder: folder.to_owned(), expected, found });
        }
        // Other data does not get the name and the class names of a known data set.
        let is_other = checksums.iter().any(|file| file.known == Some(false));
        let own_name = folder_name(folder);
        let name = if is_other { own_name.as_str() } else { name };
        let mut data = Self::new(name, train, test, checksums);
        if let Some(path) = find(folder, CLASSES_FILE) {
            let (names, sha256) = read_names(&path)?;
            let (found, classes) = (names.len(), data.class_names.len());
            if found < classes {
                let expected = format!("at least {classes} names, one per label");
                return Err(malformed(&path, &expected, &found.to_string()));
            }
            let name = CLASSES_FILE.to_owned();
            data.checksums.push(FileChecksum { name, sha256, known: None });
            data.class_names = names;
        }
        data.folder = Some(folder.to_owned());
        Ok(data)
    }

    /// Reads CIFAR. The last file holds the test images. There are no published checksums to check.
    fn read_cifar(
        name: &str,
        folder: &Path,
        paths: &[PathBuf],
        kind: Cifar,
    ) -> Result<Self, DataError> {
        let files = Layout::Cifar(kind).files();
        let (name_file, known_as) = match kind {
            Cifar::Ten => ("batches.meta.txt", CIFAR10),
            Cifar::Hundred => ("fine_label_names.txt", CIFAR100),
        };
        let mut checksums = Vec::new();
        let mut record = |name: &str, sha256: String| {
            checksums.push(FileChecksum { name: name.to_owned(), sha256, known: None });
        };
        let mut train = Records::default();
        let mut test = Records::default();
        for (at, (path, file)) in paths.iter().zip(files).enumerate() {
            let records = if at + 1 == files.len() { &mut test } else { &mut train };
            record(file, records.append(path, open(path)?, kind)?);
        }
        let class_names = match find(folder, name_file) {
            None => class_names(known_as, kind.classes()),
            Some(path) => {
                let (names, sum) = read_names(&path)?;
                if names.len() != kind.classes() {
                    let expected = format!("{} names, one per line", kind.classes());
                    return Err(malformed(&path, &expected, &names.len().to_string()));
                }
                record(name_file, sum);
                names
            }
        };
        let dataset = |records: Records| {
            let (images, labels) = records.finish();
            ImageDataset::new(images, labels.into_iter().map(u16::from).collect())
        };
        let (train, test) = (dataset(train)?, dataset(test)?);
        let (name, folder) = (name.to_owned(), Some(folder.to_owned()));
        let (validation, pictures) = (None, None);
        Ok(Self { name, folder, class_names, train, validation, test, checksums, pictures })
    }

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

/// Returns the name of a folder after resolving links.
fn folder_name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    whole.file_name().map_or_else(|| "data".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Checks the labels of a known data set; otherwise one damaged byte would add classes without images.
fn check_labels(name: &str, path: &Path, labels: &[u8]) -> Result<(), DataError> {
    let Some(classes) = known_classes(name) else { return Ok(()) };
    match labels.iter().position(|&label| usize::from(label) >= classes) {
        None => Ok(()),
        Some(position) => Err(DataError::Label {
            path: path.to_owned(),
            position,
            classes,
            found: labels[position],
            name: name.to_owned(),
        }),
    }
}
