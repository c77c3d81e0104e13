//! What can be wrong with a data set.

use std::path::PathBuf;

use thiserror::Error;

use crate::FASHION_MNIST_SAMPLE;

/// An error of this crate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The data set is nowhere.
    #[error("the data set `{name}` was not found in {}", searched.join(", "))]
    NotFound {
        /// Its name.
        name: String,
        /// Where it was looked for, in order.
        searched: Vec<String>,
    },
    /// One of the four files is missing.
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
    /// Images and labels do not belong together.
    #[error("`{}` has {labels} labels for {images} images", path.display())]
    Unequal {
        /// The file of labels.
        path: PathBuf,
        /// Images.
        images: usize,
        /// Labels.
        labels: usize,
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
            Self::NotFound { name, searched } => {
                let package = match name.as_str() {
                    "fashion-mnist" => "install the package dataset-fashion-mnist (Debian), or ",
                    _ => "",
                };
                let folder = searched.get(1).or(searched.first()).cloned().unwrap_or_default();
                format!(
                    "{package}put its four files into {folder}, or name their folder with --data; \
                     --dataset {FASHION_MNIST_SAMPLE} needs no files"
                )
            }
            Self::MissingFile { .. } => {
                "a data set is four files: train-images-idx3-ubyte, train-labels-idx1-ubyte, \
                 t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each plain or .gz"
                    .to_owned()
            }
            Self::Read { .. } => "check that it is a file and that you may read it".to_owned(),
            Self::Malformed { .. } | Self::Unequal { .. } | Self::Sizes { .. } => {
                "fetch or write the file again: it is not a whole IDX file of this data set"
                    .to_owned()
            }
            Self::Checksum { .. } => {
                "fetch the file again; to use other content on purpose, name its folder with --data"
                    .to_owned()
            }
        }
    }
}
