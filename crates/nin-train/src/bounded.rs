//! Reads files of unknown origin: regular files only, up to a size limit.

use std::fs::{File, Metadata};
use std::io::{Read, Seek, Take};
use std::path::Path;

use nin_model::Weights;

use crate::TrainError;

/// Longer files of tensors have their header checked before they are read, because a sparse file may only claim its
/// length. For shorter files, the checksum gives the better error. In bytes.
const ASKED_FIRST: u64 = 64 << 20;

/// Longest JSON file of a checkpoint or a run that is read, in bytes.
pub(crate) const LARGEST_JSON: u64 = 16 << 20;

/// Opens a regular file for reading. The reader ends one byte after `most` bytes, so that a file that grows is noticed.
///
/// # Errors
/// [`TrainError::Damaged`] if it is a folder, a pipe or a device, or longer than `most` bytes; [`TrainError::Io`].
pub(crate) fn open_file(path: &Path, most: u64) -> Result<Take<File>, TrainError> {
    // Checked before opening, because opening a pipe waits for its writer.
    let metadata = path.metadata().map_err(TrainError::io("read", path))?;
    require_file(path, &metadata)?;
    if metadata.len() > most {
        return Err(too_long(path, most));
    }
    let file = File::open(path).map_err(TrainError::io("read", path))?;
    Ok(file.take(most.saturating_add(1)))
}

/// Checks that this is a regular file.
///
/// # Errors
/// [`TrainError::Damaged`] otherwise.
fn require_file(path: &Path, metadata: &Metadata) -> Result<(), TrainError> {
    if metadata.is_file() {
        return Ok(());
    }
    let found = if metadata.is_dir() { "a folder" } else { "a pipe or a device" };
    Err(TrainError::Damaged {
        path: path.to_owned(),
        expected: "a file".to_owned(),
        found: found.to_owned(),
    })
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// [`TrainError::Damaged`] if it is a folder, a pipe or a device, or longer than `most` bytes; [`TrainError::Io`].
pub fn read_file(path: &Path, most: u64) -> Result<Vec<u8>, TrainError> {
    read_to_end(path, open_file(path, most)?, most)
}

/// Reads a file of tensors of at most `most` bytes.
///
/// # Errors
/// Those of [`read_file`]; [`TrainError::Weights`] if the header of a long file does not match its length.
pub(crate) fn read_tensors(path: &Path, most: u64) -> Result<Vec<u8>, TrainError> {
    let mut file = open_file(path, most)?;
    let unreadable = || TrainError::io("read", path);
    let length = file.get_ref().metadata().map_err(unreadable())?.len();
    if length > ASKED_FIRST {
        Weights::check_header(&mut file, length)
            .map_err(|source| TrainError::Weights { path: path.to_owned(), source })?;
        let mut whole = file.into_inner();
        whole.rewind().map_err(unreadable())?;
        file = whole.take(most.saturating_add(1));
    }
    read_to_end(path, file, most)
}

fn read_to_end(path: &Path, mut file: Take<File>, most: u64) -> Result<Vec<u8>, TrainError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(TrainError::io("read", path))?;
    // The file may have grown since it was opened.
    if bytes.len() as u64 > most { Err(too_long(path, most)) } else { Ok(bytes) }
}

fn too_long(path: &Path, most: u64) -> TrainError {
    TrainError::Damaged {
        path: path.to_owned(),
        expected: format!("at most {most} bytes"),
        found: "more".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_files_are_read_and_only_short_ones() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::write(path("file"), b"four").unwrap();
        symlink("file", path("link")).unwrap();
        symlink("/dev/zero", path("zero")).unwrap();
        assert_eq!(read_file(&path("link"), 4).unwrap(), b"four");
        for (name, most, said) in [
            ("file", 3, "expected at most 3 bytes, found more"),
            (".", 3, "expected a file, found a folder"),
            ("zero", 3, "expected a file, found a pipe or a device"),
            ("nowhere", 3, "cannot read"),
        ] {
            let error = read_file(&path(name), most).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn tensors_that_are_long_in_name_only_take_no_memory() {
        const CLAIMED: u64 = 8 << 30;
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("model.safetensors");
        File::create(&path).unwrap().set_len(CLAIMED).unwrap();
        let error = read_tensors(&path, 2 * CLAIMED).unwrap_err();
        assert!(error.to_string().contains("not a safetensors file"), "{error}");
        // Short files are read without a check of their header.
        File::create(&path).unwrap().set_len(9).unwrap();
        assert_eq!(read_tensors(&path, CLAIMED).unwrap(), [0; 9]);
    }
}
