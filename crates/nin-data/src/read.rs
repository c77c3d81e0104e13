//! Reads the files of a data set in MNIST's or CIFAR's format.

use std::path::{Path, PathBuf};

use crate::catalogue::{CIFAR10, CIFAR100, FILES, class_names, known_classes, known_sums};
use crate::checksum::FileChecksum;
use crate::cifar::Records;
use crate::class_file::read_names;
use crate::data_set::DataSet;
use crate::error::DataError;
use crate::files::{find, malformed, open};
use crate::idx::{read_images, read_labels};
use crate::image_dataset::ImageDataset;
use crate::layout::{Cifar, Layout};

/// The file with the class names of a data set in MNIST's format, one per line.
const CLASSES_FILE: &str = "classes.txt";

/// Reads a data set in MNIST's or CIFAR's format. `sums_bind` makes a file that differs from its published checksum an
/// error.
pub(crate) fn read(name: &str, folder: &Path, sums_bind: bool) -> Result<DataSet, DataError> {
    let (layout, folder) =
        Layout::find(folder, name).unwrap_or_else(|| (Layout::expected(name), folder.to_owned()));
    let paths = layout.paths(&folder, name)?;
    match layout {
        Layout::Idx => read_idx(name, &folder, &paths, sums_bind),
        Layout::Cifar(kind) => read_cifar(name, &folder, &paths, kind),
    }
}

fn read_idx(
    name: &str,
    folder: &Path,
    paths: &[PathBuf],
    sums_bind: bool,
) -> Result<DataSet, DataError> {
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
    // If a checksum differs, the data set gets its folder's name and generic class names.
    let is_other = checksums.iter().any(|file| file.known == Some(false));
    let own_name = folder_name(folder);
    let name = if is_other { own_name.as_str() } else { name };
    let mut data = DataSet::new(name, train, test, checksums);
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
) -> Result<DataSet, DataError> {
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
    Ok(DataSet { name, folder, class_names, train, validation, test, checksums, pictures })
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
