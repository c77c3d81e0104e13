//! The file layout of a data set folder: four IDX files, or those of CIFAR.

use crate::catalogue::{CIFAR10, CIFAR100, FILES};

/// The files of CIFAR-10: five for training, one for testing.
const CIFAR10_FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
const CIFAR100_FILES: [&str; 2] = ["train.bin", "test.bin"];

/// One of the two CIFAR data sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cifar {
    /// CIFAR-10: ten classes.
    Ten,
    /// CIFAR-100: a hundred classes. Coarse labels are checked and dropped.
    Hundred,
}

/// The file layout of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Four files in MNIST's format.
    Idx,
    /// The binary version of CIFAR.
    Cifar(Cifar),
}

impl Layout {
    pub(crate) const ALL: [Self; 3] =
        [Self::Idx, Self::Cifar(Cifar::Ten), Self::Cifar(Cifar::Hundred)];

    /// Returns the layout to expect from the name alone.
    pub(crate) fn expected(name: &str) -> Self {
        match name {
            CIFAR10 => Self::Cifar(Cifar::Ten),
            CIFAR100 => Self::Cifar(Cifar::Hundred),
            _ => Self::Idx,
        }
    }

    /// Returns the names of all files with images or labels.
    pub(crate) fn files(self) -> &'static [&'static str] {
        match self {
            Self::Idx => &FILES,
            Self::Cifar(Cifar::Ten) => &CIFAR10_FILES,
            Self::Cifar(Cifar::Hundred) => &CIFAR100_FILES,
        }
    }

    /// Returns the layout that has a file of this name.
    pub(crate) fn with_file(name: &str) -> Self {
        Self::ALL.into_iter().find(|layout| layout.files().contains(&name)).unwrap_or(Self::Idx)
    }

    /// Describes the files of this layout, for hints.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Self::Idx => {
                "a data set is four files: train-images-idx3-ubyte, train-labels-idx1-ubyte, \
                 t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each plain or .gz (names such as \
                 train-images.idx3-ubyte or emnist-letters-train-images-idx3-ubyte and the subfolder \
                 MNIST/raw work too)"
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

    /// Returns the subfolder that the archive unpacks to.
    pub(crate) fn subfolder(self) -> Option<&'static str> {
        match self {
            Self::Idx => None,
            Self::Cifar(Cifar::Ten) => Some("cifar-10-batches-bin"),
            Self::Cifar(Cifar::Hundred) => Some("cifar-100-binary"),
        }
    }
}
