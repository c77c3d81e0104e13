//! What can be wrong with a picture.

use image::ImageError;

/// What is wrong with a picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// A file, a folder or stdin cannot be read.
    #[error("cannot read it: {source}")]
    Unreadable {
        /// Why not.
        source: std::io::Error,
    },
    /// The file is longer than is taken for a picture.
    #[error("the file has more than {limit} bytes")]
    FileTooLarge {
        /// The most that is read.
        limit: u64,
    },
    /// It has more pixels than are decoded.
    #[error("{width}x{height} pixels are more than the {limit} that are decoded")]
    TooManyPixels {
        /// Width, in pixels.
        width: u32,
        /// Height, in pixels.
        height: u32,
        /// The most that are decoded.
        limit: u64,
    },
    /// One of its sides is longer than is decoded.
    #[error("{width}x{height} pixels: no side may be longer than {limit}")]
    SideTooLong {
        /// Width, in pixels.
        width: u32,
        /// Height, in pixels.
        height: u32,
        /// The longest that is decoded.
        limit: u32,
    },
    /// The bytes are of another kind.
    #[error("neither JPEG, PNG, WebP, GIF, BMP nor TIFF")]
    UnknownFormat,
    /// The bytes are a picture of a kind that is not decoded.
    #[error("{format} pictures are not read")]
    ForeignFormat {
        /// HEIC, AVIF, JPEG XL or JPEG 2000.
        format: &'static str,
    },
    /// The format is decoded, but not this kind of it.
    #[error("{format} of a kind that is not read: {reason}")]
    UnsupportedKind {
        /// JPEG, PNG, WebP, GIF, BMP or TIFF.
        format: &'static str,
        /// What kind.
        reason: String,
    },
    /// The decoder gave up.
    #[error("not a whole {format} picture: {reason}")]
    Undecodable {
        /// JPEG, PNG, WebP, GIF, BMP or TIFF.
        format: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// A folder without a picture.
    #[error("the folder holds no JPEG, PNG, WebP, GIF, BMP or TIFF file")]
    NoPictures,
    /// The network takes neither grey nor colour pictures.
    #[error("the network takes {channels} channels: pictures have 1 (grey) or 3 (colour)")]
    Channels {
        /// The network's.
        channels: usize,
    },
    /// The network has nothing left on a picture of this size, or too much.
    #[error("{height}x{width} pixels do not fit the network: {reason}")]
    Size {
        /// Height, in pixels.
        height: usize,
        /// Width, in pixels.
        width: usize,
        /// Why not.
        reason: String,
    },
}

impl PictureError {
    /// What a decoder of the `image` crate said about a picture of this format.
    pub(super) fn of_decoder(format: &'static str, error: &ImageError) -> Self {
        let reason = error.to_string();
        match error {
            // Nothing is wrong with a file whose decoder would need too much memory.
            ImageError::Unsupported(_) | ImageError::Limits(_) => {
                Self::UnsupportedKind { format, reason }
            }
            _ => Self::Undecodable { format, reason },
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name pictures, folders of them, or - for standard input",
            Self::FileTooLarge { .. } | Self::TooManyPixels { .. } | Self::SideTooLong { .. } => {
                "scale it down: the network sees no more than its input size"
            }
            Self::UnknownFormat | Self::NoPictures => "convert other formats to JPEG or PNG first",
            Self::ForeignFormat { format: "HEIC" } => {
                "convert it to JPEG first, such as with `heif-convert photo.heic photo.jpg`"
            }
            Self::ForeignFormat { format: "AVIF" } => {
                "convert it to PNG first, such as with `avifdec photo.avif photo.png`"
            }
            Self::ForeignFormat { .. } | Self::UnsupportedKind { .. } => {
                "convert it to JPEG or PNG first"
            }
            Self::Undecodable { .. } => "the file is cut off or damaged: fetch it again",
            Self::Channels { .. } => "take a checkpoint of a network for 1 or 3 channels",
            Self::Size { .. } => "leave --dense out, and it is resized",
        }
    }
}

#[cfg(test)]
mod tests {
    use image::error::{LimitError, LimitErrorKind};

    use super::*;

    #[test]
    fn a_picture_that_needs_too_much_memory_is_not_called_damaged() {
        let error = ImageError::Limits(LimitError::from_kind(LimitErrorKind::InsufficientMemory));
        let error = PictureError::of_decoder("TIFF", &error);
        assert!(matches!(error, PictureError::UnsupportedKind { format: "TIFF", .. }), "{error}");
    }
}
