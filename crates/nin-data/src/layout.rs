//! Which files a data set's folder holds: four of IDX, or those of CIFAR.

use std::path::{Path, PathBuf};

use crate::catalogue::{CIFAR10, CIFAR100, FILES};
use crate::cifar::Cifar;
use crate::files::find;
use crate::{DataError, idx_names};

/// CIFAR-10's files of images: five for training, one for testing.
const CIFAR10_FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
const CIFAR100_FILES: [&str; 2] = ["train.bin", "test.bin"];

/// The files of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Four files in MNIST's format.
    Idx,
    /// CIFAR's binary form.
    Cifar(Cifar),
}

impl Layout {
    const ALL: [Self; 3] = [Self::Idx, Self::Cifar(Cifar::Ten), Self::Cifar(Cifar::Hundred)];

    /// What a data set of this name has where its folder does not tell.
    pub(crate) fn expected(name: &str) -> Self {
        match name {
            CIFAR10 => Self::Cifar(Cifar::Ten),
            CIFAR100 => Self::Cifar(Cifar::Hundred),
            _ => Self::Idx,
        }
    }

    /// Every file of images and labels.
    pub(crate) fn files(self) -> &'static [&'static str] {
        match self {
            Self::Idx => &FILES,
            Self::Cifar(Cifar::Ten) => &CIFAR10_FILES,
            Self::Cifar(Cifar::Hundred) => &CIFAR100_FILES,
        }
    }

    /// The layout that a file of this name is part of.
    pub(crate) fn with_file(name: &str) -> Self {
        Self::ALL.into_iter().find(|layout| layout.files().contains(&name)).unwrap_or(Self::Idx)
    }

    /// What a data set of this layout is.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Self::Idx => {
                "a data set is four files: train-images-idx3-ubyte, train-labels-idx1-ubyte, \
                 t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each plain or .gz (also as \
                 train-images.idx3-ubyte, emnist-letters-train-images-idx3-ubyte, or in MNIST/raw)"
            }
            Self::Cifar(Cifar::Ten) => {
                "CIFAR-10 is six files: data_batch_1.bin to data_batch_5.bin and test_batch.bin, each \
                 plain or .gz (cifar-10-binary.tar.gz, unpacked)"
            }
            Self::Cifar(Cifar::Hundred) => {
                "CIFAR-100 is two files: train.bin and test.bin, each plain or .gz \
                 (cifar-100-binary.tar.gz, unpacked)"
            }
        }
    }

    /// The folder within a data set's own that its archive unpacks to.
    fn subfolder(self) -> Option<&'static str> {
        match self {
            Self::Idx => None,
            Self::Cifar(Cifar::Ten) => Some("cifar-10-batches-bin"),
            Self::Cifar(Cifar::Hundred) => Some("cifar-100-binary"),
        }
    }

    /// The paths of every file of images and labels of a data set of this name, in the order of
    /// [`Layout::files`].
    ///
    /// # Errors
    /// [`DataError::MissingFile`]; [`DataError::SeveralSets`].
    pub(crate) fn paths(self, folder: &Path, name: &str) -> Result<Vec<PathBuf>, DataError> {
        if self == Self::Idx {
            return idx_names::files(folder, name);
        }
        let missing = |name| DataError::MissingFile { folder: folder.to_owned(), name };
        let files = self.files().iter();
        files.map(|file| find(folder, file).ok_or_else(|| missing(file))).collect()
    }

    /// The layout of which a folder holds a file, with the folder where it lies: this one, or the one
    /// within it that an archive unpacked to. Where there are several, the one that the name tells.
    pub(crate) fn find(folder: &Path, name: &str) -> Option<(Self, PathBuf)> {
        let expected = Self::expected(name);
        std::iter::once(expected).chain(Self::ALL).find_map(|layout| {
            if layout == Self::Idx {
                return idx_names::folder(folder, name).map(|folder| (layout, folder));
            }
            let inner = layout.subfolder().map(|inner| folder.join(inner));
            let mut folders = std::iter::once(folder.to_owned()).chain(inner);
            let has_a_file =
                |folder: &PathBuf| layout.files().iter().any(|file| find(folder, file).is_some());
            folders.find(has_a_file).map(|folder| (layout, folder))
        })
    }
}
