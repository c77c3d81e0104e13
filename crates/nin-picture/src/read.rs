//! Reads the file of a picture.

use std::io::Read;

use super::PictureError;

/// The size limit of a file, in bytes.
const LARGEST_FILE: u64 = 64 << 20;

/// Reads the bytes of a picture, up to 64 MiB.
///
/// # Errors
/// Returns [`PictureError::Unreadable`] or [`PictureError::FileTooLarge`].
pub fn read_picture(from: impl Read) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    let read = from.take(LARGEST_FILE + 1).read_to_end(&mut bytes);
    read.map_err(|source| PictureError::Unreadable { source })?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(PictureError::FileTooLarge { limit: LARGEST_FILE });
    }
    Ok(bytes)
}
