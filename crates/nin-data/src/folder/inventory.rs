//! Checksums and headers of the picture files in a listing, without decoding them.

use super::listing::{ListedPicture, Listing};
use super::options::{PictureOptions, Preparing, Stage};
use super::part::Part;
use super::split::{Content, Shares, split};
use super::store::{content_of, in_parallel, read_file};
use crate::{DataError, PictureHeader};

/// A listing with the checksum and header of each file.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inventory {
    /// The listing.
    pub listing: Listing,
    /// The file of each picture, in the order of the listing.
    pub files: Vec<InventoryFile>,
}

/// A picture file.
#[derive(Debug)]
#[non_exhaustive]
pub struct InventoryFile {
    /// The SHA-256 of the file; zeros if it cannot be read.
    pub sha256: [u8; 32],
    /// The length of the file, in bytes.
    pub bytes: u64,
    /// The header of the picture, or why the file is not a picture.
    pub header: Result<PictureHeader, DataError>,
}

impl Inventory {
    /// Reads every file of a listing.
    ///
    /// # Errors
    /// Returns [`DataError::Interrupted`] if stopped. An unreadable file is not an error here; its entry has
    /// the error.
    pub fn read(listing: Listing, options: &PictureOptions<'_>) -> Result<Self, DataError> {
        let progress = |done, total| {
            (options.progress)(Preparing { stage: Stage::Reading, done, total });
        };
        let count = listing.pictures.len();
        let files = in_parallel(count, options.threads, options.is_stopped, &progress, |at| {
            let path = listing.root.join(&listing.pictures[at].path);
            match read_file(&path) {
                Err(error) => InventoryFile { sha256: [0; 32], bytes: 0, header: Err(error) },
                Ok(bytes) => InventoryFile {
                    sha256: content_of(&bytes),
                    bytes: bytes.len() as u64,
                    header: PictureHeader::read(&bytes)
                        .map_err(|source| DataError::Picture { path, source }),
                },
            }
        })?;
        Ok(Self { listing, files })
    }

    /// Returns the number of channels: 3 if any picture is in colour, else 1.
    pub fn channels(&self) -> usize {
        let headers = self.files.iter().filter_map(|file| file.header.as_ref().ok());
        headers.map(|header| header.channels).max().unwrap_or(1)
    }

    /// Returns whether the folder does not split its pictures into parts.
    pub fn is_unsplit(&self) -> bool {
        let parts = || self.listing.pictures.iter().map(|picture| picture.part);
        parts().all(|part| part.is_none()) || parts().all(|part| part == Some(Part::Train))
    }

    /// Returns the part of each picture, taken from the folder or decided by content. Unusable pictures get
    /// [`Part::Train`]; the caller skips them.
    pub fn parts(&self, shares: Shares, is_usable: impl Fn(usize) -> bool) -> Vec<Part> {
        if !self.is_unsplit() {
            let given = |picture: &ListedPicture| picture.part.unwrap_or(Part::Train);
            return self.listing.pictures.iter().map(given).collect();
        }
        let usable: Vec<usize> = (0..self.files.len()).filter(|&at| is_usable(at)).collect();
        let contents: Vec<(Content, u16)> = usable
            .iter()
            .map(|&at| (self.files[at].sha256, self.listing.pictures[at].class))
            .collect();
        let mut parts = vec![Part::Train; self.files.len()];
        for (at, part) in usable.into_iter().zip(split(&contents, shares)) {
            parts[at] = part;
        }
        parts
    }
}
