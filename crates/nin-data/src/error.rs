//! What can be wrong with a data set.

use std::path::PathBuf;

use thiserror::Error;

use crate::layout::Layout;
use crate::{CIFAR10, CIFAR100, FASHION_MNIST, FASHION_MNIST_SAMPLE, MNIST};

/// An error of this crate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A data set's name is the name of its folder: not empty, and no path.
    #[error("the data set's name is `{name}`, expected the name of a folder")]
    Name {
        /// The name.
        name: String,
    },
    /// The data set is nowhere.
    #[error("the data set `{name}` was not found in {}", list(searched))]
    NotFound {
        /// Its name.
        name: String,
        /// Where it was looked for, in order.
        searched: Vec<PathBuf>,
        /// Where its files can be put, so that it is found; `None` without a home.
        folder: Option<PathBuf>,
    },
    /// One of a data set's files is missing.
    #[error("`{}` has no file `{name}`, plain or .gz", folder.display())]
    MissingFile {
        /// The folder.
        folder: PathBuf,
        /// The file's name without `.gz`.
        name: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what its name promises.
    #[error("`{}`: expected {expected}, found {found}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// A file that was found for a known data set has other content.
    #[error("`{}`: expected SHA-256 {expected} of its content, found {found}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The known sum.
        expected: &'static str,
        /// The sum of what is there.
        found: String,
    },
    /// Images and labels in memory do not belong together.
    #[error("expected {expected}, found {found}")]
    Inconsistent {
        /// What there should be.
        expected: String,
        /// What there is.
        found: String,
    },
    /// A file of labels does not belong to its file of images.
    #[error("`{}` has {labels} labels for {images} images", path.display())]
    Unequal {
        /// The file of labels.
        path: PathBuf,
        /// Images.
        images: usize,
        /// Labels.
        labels: usize,
    },
    /// A label of a known data set is none of its classes.
    #[error("`{}`: expected labels below {classes}, found {found} at position {position}", path.display())]
    Label {
        /// The file of labels.
        path: PathBuf,
        /// The first such label's, counted from 0.
        position: usize,
        /// The data set's number of classes.
        classes: usize,
        /// The label.
        found: u8,
        /// The data set's name.
        name: String,
    },
    /// No whitening can be fitted to the images.
    #[error("cannot whiten the images: {reason}")]
    Whitening {
        /// Why not.
        reason: String,
    },
    /// Training and test images have different sizes.
    #[error(
        "`{}` has test images of {}x{}, expected {}x{} as the training images",
        folder.display(), found[0], found[1], expected[0], expected[1]
    )]
    Sizes {
        /// The folder.
        folder: PathBuf,
        /// `[height, width]` of the training images.
        expected: [usize; 2],
        /// `[height, width]` of the test images.
        found: [usize; 2],
    },
}

impl DataError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Name { .. } => format!(
                "known here are {FASHION_MNIST}, {FASHION_MNIST_SAMPLE}, {MNIST}, {CIFAR10} and \
                 {CIFAR100}; any other has to be named with its folder"
            ),
            Self::NotFound { name, folder, .. } => {
                let (package, files) = match name.as_str() {
                    FASHION_MNIST => (
                        "fetch it with `nin-cli data fetch fashion-mnist`, install the package \
                         dataset-fashion-mnist (Debian), ",
                        "four files",
                    ),
                    MNIST => ("fetch it with `nin-cli data fetch mnist`, ", "four files"),
                    CIFAR10 | CIFAR100 => (CIFAR_ARCHIVE, "files"),
                    _ => ("", "four files"),
                };
                let without = if matches!(name.as_str(), CIFAR10 | CIFAR100) {
                    String::new()
                } else {
                    format!("; {FASHION_MNIST_SAMPLE} needs no files")
                };
                let put = folder.as_ref().map_or_else(String::new, |folder| {
                    format!("put its {files} into {}, or ", folder.display())
                });
                format!("{package}{put}name their folder{without}")
            }
            Self::MissingFile { name, .. } => Layout::with_file(name).described().to_owned(),
            Self::Read { .. } => "check that it is there and that you may read it".to_owned(),
            Self::Malformed { .. } | Self::Unequal { .. } | Self::Sizes { .. } => {
                "fetch or write the file again: it is not a whole file of this data set".to_owned()
            }
            Self::Label { name, classes, .. } => format!(
                "{name} has {classes} classes: fetch or write the file again, or give data of other \
                 classes another name"
            ),
            Self::Whitening { .. } => {
                "set preprocessing.whitening=false, a smaller data.input_size, or a larger \
                 preprocessing.whitening_bias"
                    .to_owned()
            }
            Self::Inconsistent { .. } => {
                "give each image channels x height x width pixels and one label".to_owned()
            }
            Self::Checksum { .. } => {
                "fetch the file again; to use other content on purpose, name its folder".to_owned()
            }
        }
    }
}

/// Nothing is downloaded: CIFAR comes as an archive.
const CIFAR_ARCHIVE: &str =
    "download its binary version from https://www.cs.toronto.edu/~kriz/cifar.html and ";

fn list(folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    folders.join(", ")
}
