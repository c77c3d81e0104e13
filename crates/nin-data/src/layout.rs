//! Which files a data set's folder holds: four of IDX, or those of CIFAR.

use std::path::{Path, PathBuf};

use crate::catalogue::{CIFAR10, CIFAR100, FILES};
use crate::cifar::Cifar;
use crate::files::find;

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

    /// The folder within a data set's own that its archive unpacks to.
    fn subfolder(self) -> Option<&'static str> {
        match self {
            Self::Idx => None,
            Self::Cifar(Cifar::Ten) => Some("cifar-10-batches-bin"),
            Self::Cifar(Cifar::Hundred) => Some("cifar-100-binary"),
        }
    }

    /// The layout of which a folder holds a file, with the folder where it lies: this one, or the one
    /// within it that an archive unpacked to. Where there are several, the one that the name tells.
    pub(crate) fn find(folder: &Path, name: &str) -> Option<(Self, PathBuf)> {
        let expected = Self::expected(name);
        std::iter::once(expected).chain(Self::ALL).find_map(|layout| {
            let inner = layout.subfolder().map(|inner| folder.join(inner));
            let mut folders = std::iter::once(folder.to_owned()).chain(inner);
            let has_a_file =
                |folder: &PathBuf| layout.files().iter().any(|file| find(folder, file).is_some());
            folders.find(has_a_file).map(|folder| (layout, folder))
        })
    }
}
