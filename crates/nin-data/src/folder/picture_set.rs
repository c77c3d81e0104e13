//! What is known of a data set that was opened from a folder of pictures.

use super::bad_picture::BadPicture;
use super::listing::PictureLayout;
use super::skipped::SkippedFiles;

/// Details of a data set that was opened from a folder of pictures.
#[derive(Debug, Clone)]
pub struct PictureSet {
    /// How the folder assigns classes.
    pub layout: PictureLayout,
    /// Whether the content of the pictures decided their parts.
    pub is_split_by_content: bool,
    /// The pictures in use as CSV: `path,label,split,sha256`.
    pub list: String,
    /// The pictures that were skipped.
    pub bad: Vec<BadPicture>,
    /// The other files in the folder.
    pub skipped: SkippedFiles,
    /// Warnings about the cache.
    pub warnings: Vec<String>,
}
