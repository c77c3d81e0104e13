//! Sources of pictures: files, folders, standard input.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nin_data::{DataError, PictureError, SkippedFiles, list_pictures, read_picture};

/// A picture to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A regular file.
    File(PathBuf),
    /// A named pipe or device, which can be read once.
    Pipe(PathBuf),
    /// Standard input.
    Stdin,
}

impl Source {
    /// Returns the path as given, or `-` for standard input.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) | Self::Pipe(path) => path.display().to_string(),
            Self::Stdin => "-".to_owned(),
        }
    }

    /// Returns a stem for the names of output files.
    pub fn stem(&self) -> String {
        match self {
            Self::File(path) | Self::Pipe(path) => path
                .file_stem()
                .map_or_else(|| "picture".to_owned(), |stem| stem.to_string_lossy().into_owned()),
            Self::Stdin => "stdin".to_owned(),
        }
    }

    /// Returns whether it can be read a second time.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Reads the bytes, up to the size limit of pictures.
    ///
    /// # Errors
    /// [`PictureError::Unreadable`], [`PictureError::FileTooLarge`].
    pub fn read(&self) -> Result<Vec<u8>, PictureError> {
        match self {
            Self::File(path) => open(path).map_err(unreadable).and_then(read_picture),
            Self::Pipe(path) => File::open(path).map_err(unreadable).and_then(read_picture),
            Self::Stdin => read_picture(io::stdin().lock()),
        }
    }
}

/// Opens a regular file. A pipe without a writer would block forever, and a device may have no end.
fn open(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    File::open(path)
}

fn unreadable(source: io::Error) -> PictureError {
    PictureError::Unreadable { source }
}

/// The pictures found at a path.
#[derive(Debug, Default)]
pub struct Found {
    /// The pictures, ordered by name.
    pub sources: Vec<Source>,
    /// Files in a folder that are not pictures.
    pub skipped: SkippedFiles,
    /// Folders that cannot be listed.
    pub errors: Vec<DataError>,
}

/// Finds the pictures at a path: a file, a pipe, `-` for standard input, or a folder, which is searched at any
/// depth by file extension.
///
/// # Errors
/// [`PictureError::Unreadable`].
pub fn find(path: &Path) -> Result<Found, PictureError> {
    if path.as_os_str() == "-" {
        return Ok(Found { sources: vec![Source::Stdin], ..Found::default() });
    }
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_dir() {
        let source = if metadata.is_file() { Source::File } else { Source::Pipe };
        return Ok(Found { sources: vec![source(path.to_owned())], ..Found::default() });
    }
    let (pictures, skipped, errors) = list_pictures(path);
    Ok(Found { sources: pictures.into_iter().map(Source::File).collect(), skipped, errors })
}
