//! Where a data set is found, and what it is made of.

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

/// Where distributions put data sets (Debian: `dataset-fashion-mnist`).
const SYSTEM_FOLDER: &str = "/usr/share/datasets";
/// The classes' names of MNIST-style files, one a line.
const CLASSES_FILE: &str = "classes.txt";

/// The folders that are searched, in this order, where the user names none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locations {
    /// `$NIN_DATA`: a folder of folders, one for each data set.
    pub own: Option<PathBuf>,
    /// The cache folder, `$XDG_CACHE_HOME/nin` or `~/.cache/nin`.
    pub cache: Option<PathBuf>,
    /// Where the system's packages are.
    pub system: Option<PathBuf>,
}

impl Locations {
    /// As the process's environment has them.
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

    /// Where a data set of this name is looked for, in order.
    fn folders(&self, name: &str) -> Vec<PathBuf> {
        [&self.own, &self.cache, &self.system]
            .into_iter()
            .flatten()
            .map(|folder| folder.join(name))
            .collect()
    }

    /// Where the user can put a data set of this name, so that it is found.
    pub fn writable(&self, name: &str) -> Option<PathBuf> {
        self.own.as_ref().or(self.cache.as_ref()).map(|folder| folder.join(name))
    }
}

/// A data set: training and test images, and what is known of them.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// Its name.
    pub name: String,
    /// Where its files lie; `None` for the embedded sample.
    pub folder: Option<PathBuf>,
    /// The name of each class, in the order of the labels.
    pub class_names: Vec<String>,
    /// The training images; none in a set that is only for testing.
    pub train: ImageDataset,
    /// The images that choose the best checkpoint, where there are some besides the test images.
    pub validation: Option<ImageDataset>,
    /// The test images.
    pub test: ImageDataset,
    /// Of its files.
    pub checksums: Vec<FileChecksum>,
    /// What is known besides, where it is a folder of pictures.
    pub pictures: Option<PictureSet>,
}

impl DataSet {
    /// Opens a data set: from `folder` alone where one is given; else the embedded sample where
    /// that is asked for; else from the first of the locations that has one of its files.
    ///
    /// The known checksums bind where it was searched for; in a given `folder` a difference is
    /// recorded in [`DataSet::checksums`], not refused.
    ///
    /// # Errors
    /// [`DataError::Name`] for a name that is no folder's, [`DataError::NotFound`], and whatever is
    /// wrong with the files that were found.
    pub fn open(
        name: &str,
        folder: Option<&Path>,
        locations: &Locations,
    ) -> Result<Self, DataError> {
        Self::open_with(name, folder, locations, &PictureOptions::default())
    }

    /// Opens a data set as [`DataSet::open`] does; a folder of pictures with these options.
    ///
    /// # Errors
    /// Those of [`DataSet::open`] and [`DataSet::open_pictures`].
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

    /// Whether the best checkpoint is tested at the end: if validation images chose it, and there are
    /// test images.
    pub fn is_tested_at_the_end(&self) -> bool {
        self.validation.is_some() && !self.test.is_empty()
    }

    /// Returns the number of pictures that were left out because they cannot be decoded.
    pub fn bad_pictures(&self) -> usize {
        self.pictures.as_ref().map_or(0, |pictures| pictures.bad.len())
    }

    /// Returns the images of a part; none if there is no such part.
    pub fn part(&self, part: Part) -> ImageDataset {
        match part {
            Part::Train => self.train.clone(),
            Part::Validation => self.validation.clone().unwrap_or_else(|| self.train.part(0..0)),
            Part::Test => self.test.clone(),
        }
    }

    /// Puts every image into the test part: for data that nothing was trained on.
    #[must_use]
    pub fn as_one_part(self) -> Self {
        let parts = [Some(&self.train), self.validation.as_ref(), Some(&self.test)];
        let test = ImageDataset::joined(parts.into_iter().flatten());
        Self { train: self.train.part(0..0), validation: None, test, ..self }
    }

    /// The first `limit` images of each part.
    #[must_use]
    pub fn limited(self, limit: usize) -> Self {
        self.limited_by(limit, Selection::First)
    }

    /// At most `limit` images of each part.
    #[must_use]
    pub fn limited_by(self, limit: usize, selection: Selection) -> Self {
        Self {
            train: selection.first(&self.train, limit),
            validation: self.validation.map(|images| selection.first(&images, limit)),
            test: selection.first(&self.test, limit),
            ..self
        }
    }

    /// The last `count` training images in place of the test images, and the others for training.
    #[must_use]
    pub fn held_out(self, count: usize) -> Self {
        self.held_out_by(count, Selection::First)
    }

    /// Replaces the test images by `count` selected training images; the others stay for training.
    #[must_use]
    pub fn held_out_by(self, count: usize, selection: Selection) -> Self {
        let (train, test) = selection.hold_out(&self.train, count);
        Self { train, test, ..self }
    }

    /// Whether a folder holds pictures, and no files of MNIST's or CIFAR's format.
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
        // What a known data set is called, and its classes are, other data is not.
        let is_other = checksums.iter().any(|file| file.known == Some(false));
        let own_name = folder_name(folder);
        let name = if is_other { own_name.as_str() } else { name };
        let mut data = Self::new(name, train, test, checksums);
        if let Some(path) = find(folder, CLASSES_FILE) {
            let (names, sha256) = read_names(&path)?;
            let (found, classes) = (names.len(), data.class_names.len());
            if found < classes {
                let expected = format!("at least {classes} names, one for each label");
                return Err(malformed(&path, &expected, &found.to_string()));
            }
            let name = CLASSES_FILE.to_owned();
            data.checksums.push(FileChecksum { name, sha256, known: None });
            data.class_names = names;
        }
        data.folder = Some(folder.to_owned());
        Ok(data)
    }

    /// The last file is the one for testing; known sums there are none.
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
                    let expected = format!("{} names, one a line", kind.classes());
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

    /// Of images in memory: as many classes as the labels tell.
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

/// That a data set's folder is one.
fn check_folder(folder: &Path) -> Result<(), DataError> {
    let source = match folder.metadata() {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => ErrorKind::NotADirectory.into(),
        Err(error) => error,
    };
    Err(DataError::Read { path: folder.to_owned(), source })
}

/// A folder's own name, links followed.
fn folder_name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    whole.file_name().map_or_else(|| "data".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// That the labels of a known data set are its classes: one damaged byte would else add classes that no
/// image has.
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
