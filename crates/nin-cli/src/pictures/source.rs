//! Where pictures come from: files, folders, standard input.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::PictureError;

/// No picture that is meant has a longer file.
const LARGEST_FILE: u64 = 64 << 20;
const ENDINGS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// A picture that is still to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Source {
    /// The path as it was given; `-` for standard input.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "-".to_owned(),
        }
    }

    /// A name for files that are made of this picture.
    pub fn stem(&self) -> String {
        match self {
            Self::File(path) => path
                .file_stem()
                .map_or_else(|| "picture".to_owned(), |stem| stem.to_string_lossy().into_owned()),
            Self::Stdin => "stdin".to_owned(),
        }
    }

    /// Its bytes, no more than a picture may have.
    ///
    /// # Errors
    /// [`PictureError::Unreadable`], [`PictureError::FileTooLarge`].
    pub fn read(&self) -> Result<Vec<u8>, PictureError> {
        match self {
            Self::File(path) => File::open(path).map_err(unreadable).and_then(bounded),
            Self::Stdin => bounded(io::stdin().lock()),
        }
    }
}

fn bounded(from: impl Read) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    from.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(PictureError::FileTooLarge { limit: LARGEST_FILE });
    }
    Ok(bytes)
}

fn unreadable(source: io::Error) -> PictureError {
    PictureError::Unreadable { source }
}

/// The pictures at a path: a file itself, `-` for standard input, or, by their endings and in the
/// order of their names, those that lie in a folder (not in folders within).
///
/// # Errors
/// [`PictureError::Unreadable`], [`PictureError::NoPictures`].
pub fn find(path: &Path) -> Result<Vec<Source>, PictureError> {
    if path.as_os_str() == "-" {
        return Ok(vec![Source::Stdin]);
    }
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![Source::File(path.to_owned())]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if has_known_ending(&path) && !path.is_dir() {
            found.push(path);
        }
    }
    if found.is_empty() {
        return Err(PictureError::NoPictures);
    }
    found.sort();
    Ok(found.into_iter().map(Source::File).collect())
}

fn has_known_ending(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}
