//! What can be wrong with a data set.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::layout::Layout;
use crate::{
    BadPicture, CIFAR10, CIFAR100, FASHION_MNIST, FASHION_MNIST_SAMPLE, MNIST, PictureError,
    SkippedFiles,
};

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
    /// A folder holds several data sets.
    #[error("`{}` holds several data sets: {}", folder.display(), names.join(", "))]
    SeveralSets {
        /// The folder.
        folder: PathBuf,
        /// What their files' names begin with.
        names: Vec<String>,
    },
    /// An IDX file holds values of another kind, such as floats or colour.
    #[error("`{}`: expected {expected}, found {found}", path.display())]
    IdxKind {
        /// The file.
        path: PathBuf,
        /// The kind that is read.
        expected: String,
        /// The kind that it holds.
        found: String,
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
    /// A file's or a folder's name cannot be written as text.
    #[error("the name of `{}` is not Unicode", path.display())]
    NotUnicode {
        /// The file or folder.
        path: PathBuf,
    },
    /// A folder holds no picture that has a class.
    #[error("`{}` holds no pictures in class folders", root.display())]
    NoPictures {
        /// The folder.
        root: PathBuf,
        /// What it holds instead.
        skipped: SkippedFiles,
    },
    /// A row of a table of labels is refused.
    #[error("`{}`, row {row}: expected {expected}, found {found}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// The row, counted from 1, the header being the first.
        row: usize,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// There are more of something than can be numbered.
    #[error("`{}` has {found} {what}, expected at most {most}", root.display())]
    TooMany {
        /// The folder.
        root: PathBuf,
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// A picture cannot be used.
    #[error("`{}`: {source}", path.display())]
    Picture {
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: PictureError,
    },
    /// Pictures of a data set cannot be used.
    #[error("{}", list_bad(root, bad))]
    BadPictures {
        /// The data set's folder.
        root: PathBuf,
        /// Each of them.
        bad: Vec<BadPicture>,
    },
    /// A picture is no longer what it was when the data set was opened.
    #[error("`{}` changed while it was in use", path.display())]
    PictureChanged {
        /// Its file.
        path: PathBuf,
    },
    /// There is no image at a position.
    #[error("there is no image {index}: the data set has {count}")]
    NoImage {
        /// The position, counted from 0.
        index: usize,
        /// Images that there are.
        count: usize,
    },
    /// A data set has nothing to train on, or nothing to tell apart.
    #[error("{name} has {reason}")]
    NotTrainable {
        /// The data set's name.
        name: String,
        /// What it has, or lacks.
        reason: String,
    },
    /// Reading was stopped on request.
    #[error("interrupted while the data set was read")]
    Interrupted,
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
            Self::SeveralSets { .. } => {
                "call the data by the one that is meant, or put its files into a folder of their own"
                    .to_owned()
            }
            Self::IdxKind { .. } => {
                "write grey images as unsigned bytes, 0 to 255, or save the images as PNG files in a \
                 folder per class, which may be in colour"
                    .to_owned()
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
            Self::Inconsistent { .. } => {
                "give each image channels x height x width pixels and one label".to_owned()
            }
            Self::NotUnicode { .. } => "rename it with letters of UTF-8".to_owned(),
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
            Self::PictureChanged { .. } => "leave the pictures alone while they are in use".to_owned(),
            Self::NoImage { .. } => "ask for a position below the number of images".to_owned(),
            Self::NotTrainable { .. } => {
                "a training takes images of two classes or more, and others to choose the best \
                 checkpoint on"
                    .to_owned()
            }
            Self::Interrupted => "start it again: decoded pictures are kept".to_owned(),
            Self::Checksum { .. } => {
                "fetch the file again; to use other content on purpose, name its folder".to_owned()
            }
        }
    }
}

/// Nothing is downloaded: CIFAR comes as an archive.
const CIFAR_ARCHIVE: &str =
    "download its binary version from https://www.cs.toronto.edu/~kriz/cifar.html and ";

/// Bad pictures that an error names.
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
    let layout = "a data set is a folder per class with JPEG, PNG, WebP, GIF, BMP or TIFF pictures in \
                  it, the four files of MNIST's format, or CIFAR's binary files";
    let found = skipped.describe().join("; ");
    if found.is_empty() { layout.to_owned() } else { format!("{layout} (found: {found})") }
}

fn list(folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    folders.join(", ")
}
