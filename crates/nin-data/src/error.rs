//! Errors of opening and reading data sets, with hints.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::layout::Layout;
use crate::{
    BadPicture, CIFAR10, CIFAR100, FASHION_MNIST, FASHION_MNIST_SAMPLE, MNIST, PictureError,
    SkippedFiles,
};

/// A data set that cannot be opened or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The name of a data set must be a folder name: not empty, and not a path.
    #[error("invalid data set name `{name}`: expected a folder name")]
    Name {
        /// The name.
        name: String,
    },
    /// The data set is in none of the searched folders.
    #[error("the data set `{name}` was not found in {}", list(searched))]
    NotFound {
        /// The name of the data set.
        name: String,
        /// The folders that were searched, in order.
        searched: Vec<PathBuf>,
        /// The folder to put its files into; `None` without a home directory.
        folder: Option<PathBuf>,
    },
    /// A file of the data set is missing.
    #[error("`{}` has no file `{name}`, plain or .gz", folder.display())]
    MissingFile {
        /// The folder.
        folder: PathBuf,
        /// The name of the file, without `.gz`.
        name: &'static str,
    },
    /// A folder holds several data sets.
    #[error("`{}` holds several data sets: {}", folder.display(), names.join(", "))]
    SeveralSets {
        /// The folder.
        folder: PathBuf,
        /// The file name prefixes that tell them apart.
        names: Vec<String>,
    },
    /// An IDX file holds values of another type or shape, such as floats or colour images.
    #[error("`{}`: expected {expected}, found {found}", path.display())]
    IdxKind {
        /// The file.
        path: PathBuf,
        /// The expected type and number of dimensions.
        expected: String,
        /// The type and number of dimensions in the file.
        found: String,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A file does not have the content that its name promises.
    #[error("`{}`: expected {expected}, found {found}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// A file found for a known data set has other content.
    #[error("`{}`: expected SHA-256 {expected} of its content, found {found}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The published SHA-256.
        expected: &'static str,
        /// The SHA-256 of the file.
        found: String,
    },
    /// Images and labels in memory do not match.
    #[error("expected {expected}, found {found}")]
    Inconsistent {
        /// The sizes that would match.
        expected: String,
        /// The sizes passed in.
        found: String,
    },
    /// A label file has more or fewer labels than its image file has images.
    #[error("`{}` has {labels} labels for {images} images", path.display())]
    Unequal {
        /// The label file.
        path: PathBuf,
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A label of a known data set is out of range.
    #[error("`{}`: expected labels below {classes}, found {found} at position {position}", path.display())]
    Label {
        /// The label file.
        path: PathBuf,
        /// The position of the first such label, counted from 0.
        position: usize,
        /// The number of classes of the data set.
        classes: usize,
        /// The label.
        found: u8,
        /// The name of the data set.
        name: String,
    },
    /// The name of a file or folder is not valid Unicode.
    #[error("the name of `{}` is not Unicode", path.display())]
    NotUnicode {
        /// The file or folder.
        path: PathBuf,
    },
    /// A folder holds no picture with a class.
    #[error("`{}` holds no pictures in class folders", root.display())]
    NoPictures {
        /// The folder.
        root: PathBuf,
        /// The files that it holds instead.
        skipped: SkippedFiles,
    },
    /// A row of `labels.csv` is invalid.
    #[error("`{}`, row {row}: expected {expected}, found {found}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// The row, counted from 1; the header is row 1.
        row: usize,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A folder has more classes or pictures than can be numbered.
    #[error("`{}` has {found} {what}, expected at most {most}", root.display())]
    TooMany {
        /// The folder.
        root: PathBuf,
        /// `classes` or `pictures`.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// A picture cannot be used.
    #[error("`{}`: {source}", path.display())]
    Picture {
        /// The file of the picture.
        path: PathBuf,
        /// The cause.
        source: PictureError,
    },
    /// Some pictures of a data set cannot be used.
    #[error("{}", list_bad(root, bad))]
    BadPictures {
        /// The folder of the data set.
        root: PathBuf,
        /// Every such picture.
        bad: Vec<BadPicture>,
    },
    /// A picture changed after the data set was opened.
    #[error("`{}` changed while it was in use", path.display())]
    PictureChanged {
        /// The file of the picture.
        path: PathBuf,
    },
    /// A position is out of range.
    #[error("image index {index} is out of range: the data set has {count} images")]
    NoImage {
        /// The position, counted from 0.
        index: usize,
        /// Number of images.
        count: usize,
    },
    /// A data set cannot be trained on: it lacks images or has a single class.
    #[error("{name} has {reason}")]
    NotTrainable {
        /// The name of the data set.
        name: String,
        /// What it has, or lacks.
        reason: String,
    },
    /// Reading was interrupted on request.
    #[error("interrupted while reading the data set")]
    Interrupted,
    /// Training and test images have different sizes.
    #[error(
        "`{}` has test images of {}x{}, expected {}x{} like the training images",
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
    /// Returns what to do about the error.
    pub fn hint(&self) -> String {
        match self {
            Self::Name { .. } => format!(
                "known data sets are {FASHION_MNIST}, {FASHION_MNIST_SAMPLE}, {MNIST}, {CIFAR10} and \
                 {CIFAR100}; for any other, name its folder"
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
            Self::SeveralSets { .. } => {
                "select one by its name, or move its files into a folder of their own"
                    .to_owned()
            }
            Self::IdxKind { .. } => {
                "write grey images as unsigned bytes, 0 to 255, or save the images, grey or colour, as \
                 PNG files in a folder per class"
                    .to_owned()
            }
            Self::MissingFile { name, .. } => Layout::with_file(name).described().to_owned(),
            Self::Read { .. } => "check that it is there and that you may read it".to_owned(),
            Self::Malformed { .. } | Self::Unequal { .. } | Self::Sizes { .. } => {
                "the file is incomplete or not of this data set; fetch or write it again".to_owned()
            }
            Self::Label { name, classes, .. } => format!(
                "{name} has {classes} classes; fetch or write the file again, or use another name for \
                 data with other classes"
            ),
            Self::Inconsistent { .. } => {
                "give each image channels x height x width pixels and one label".to_owned()
            }
            Self::NotUnicode { .. } => "rename it to valid UTF-8".to_owned(),
            Self::NoPictures { skipped, .. } => no_pictures_hint(*skipped),
            Self::Table { .. } => {
                "labels.csv has the header `path,label` and optionally `split`; paths are relative to \
                 its folder"
                    .to_owned()
            }
            Self::TooMany { .. } => "train on fewer of them".to_owned(),
            Self::Picture { source, .. } => source.hint().to_owned(),
            Self::BadPictures { .. } => {
                "replace or remove them, or leave them out with --set data.on_bad_picture=skip"
                    .to_owned()
            }
            Self::PictureChanged { .. } => "do not change pictures while they are in use".to_owned(),
            Self::NoImage { .. } => "use an index below the number of images".to_owned(),
            Self::NotTrainable { .. } => {
                "training needs images of at least two classes, and validation or test images to choose \
                 the best checkpoint"
                    .to_owned()
            }
            Self::Interrupted => "start it again; decoded pictures stay in the cache".to_owned(),
            Self::Checksum { .. } => {
                "fetch the file again; to use other content on purpose, name its folder".to_owned()
            }
        }
    }
}

/// `data fetch` does not download CIFAR, which comes as an archive.
const CIFAR_ARCHIVE: &str =
    "download its binary version from https://www.cs.toronto.edu/~kriz/cifar.html and ";

/// The number of bad pictures that an error names.
const NAMED: usize = 5;

fn list_bad(root: &Path, bad: &[BadPicture]) -> String {
    let first: Vec<String> = bad
        .iter()
        .take(NAMED)
        .map(|BadPicture { path, reason }| format!("`{}`: {reason}", root.join(path).display()))
        .collect();
    let count = bad.len();
    match (count, count.saturating_sub(NAMED)) {
        (1, _) => first.concat(),
        (_, 0) => format!("{count} pictures cannot be used: {}", first.join("; ")),
        (_, more) => {
            format!("{count} pictures cannot be used: {}; and {more} more", first.join("; "))
        }
    }
}

fn no_pictures_hint(skipped: SkippedFiles) -> String {
    let layout = "a data set is a folder per class with JPEG, PNG, WebP, GIF, BMP or TIFF pictures, \
                  four files in MNIST's format, or CIFAR's binary files";
    let found = skipped.describe().join("; ");
    if found.is_empty() { layout.to_owned() } else { format!("{layout} (found: {found})") }
}

fn list(folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    folders.join(", ")
}
