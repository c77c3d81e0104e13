//! Errors of reading, decoding and classifying pictures.

use image::ImageError;

/// Why a picture cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// A file, a folder or stdin cannot be read.
    #[error("cannot read it: {source}")]
    Unreadable {
        /// The cause.
        source: std::io::Error,
    },
    /// The file is too long.
    #[error("the file has more than {limit} bytes")]
    FileTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The picture has too many pixels.
    #[error("{width}x{height} pixels are more than the limit of {limit}")]
    TooManyPixels {
        /// Width, in pixels.
        width: u32,
        /// Height, in pixels.
        height: u32,
        /// The limit, in pixels.
        limit: u64,
    },
    /// A side of the picture is too long.
    #[error("{width}x{height} pixels: no side may be longer than {limit}")]
    SideTooLong {
        /// Width, in pixels.
        width: u32,
        /// Height, in pixels.
        height: u32,
        /// The limit, in pixels.
        limit: u32,
    },
    /// The file is not a picture of a known format.
    #[error("neither JPEG, PNG, WebP, GIF, BMP nor TIFF")]
    UnknownFormat,
    /// The file is a picture in an unsupported format.
    #[error("{format} pictures are not supported")]
    ForeignFormat {
        /// HEIC, AVIF, JPEG XL or JPEG 2000.
        format: &'static str,
    },
    /// The format is supported, but not this variant of it.
    #[error("unsupported kind of {format}: {reason}")]
    UnsupportedKind {
        /// JPEG, PNG, WebP, GIF, BMP or TIFF.
        format: &'static str,
        /// Which feature is not supported.
        reason: String,
    },
    /// The file is truncated or damaged.
    #[error("incomplete or damaged {format} picture: {reason}")]
    Undecodable {
        /// JPEG, PNG, WebP, GIF, BMP or TIFF.
        format: &'static str,
        /// The message of the decoder.
        reason: String,
    },
    /// A folder contains no picture.
    #[error("the folder holds no JPEG, PNG, WebP, GIF, BMP or TIFF file")]
    NoPictures,
    /// The network takes neither grey nor colour pictures.
    #[error("the network takes {channels} channels: pictures have 1 (grey) or 3 (colour)")]
    Channels {
        /// The input channels of the network.
        channels: usize,
    },
    /// The picture is too small for the network, or takes too much memory.
    #[error("{height}x{width} pixels do not fit the network: {reason}")]
    Size {
        /// Height, in pixels.
        height: usize,
        /// Width, in pixels.
        width: usize,
        /// Why it does not fit.
        reason: String,
    },
}

impl PictureError {
    /// Converts an error of the `image` crate for a picture of this format.
    pub(super) fn of_decoder(format: &'static str, error: &ImageError) -> Self {
        let reason = error.to_string();
        match error {
            // A file whose decoder would need too much memory is not damaged.
            ImageError::Unsupported(_) | ImageError::Limits(_) => {
                Self::UnsupportedKind { format, reason }
            }
            _ => Self::Undecodable { format, reason },
        }
    }

    /// Returns what to do about the error.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name pictures, folders of them, or - for standard input",
            Self::FileTooLarge { .. } | Self::TooManyPixels { .. } | Self::SideTooLong { .. } => {
                "scale it down: the network sees no more than its input size"
            }
            Self::UnknownFormat | Self::NoPictures => "convert other formats to JPEG or PNG first",
            Self::ForeignFormat { format: "HEIC" } => {
                "convert it to JPEG first, for example with `heif-convert photo.heic photo.jpg`"
            }
            Self::ForeignFormat { format: "AVIF" } => {
                "convert it to PNG first, for example with `avifdec photo.avif photo.png`"
            }
            Self::ForeignFormat { .. } | Self::UnsupportedKind { .. } => {
                "convert it to JPEG or PNG first"
            }
            Self::Undecodable { .. } => "the file is cut off or damaged: fetch it again",
            Self::Channels { .. } => "use a checkpoint whose network takes 1 or 3 channels",
            Self::Size { .. } => "leave --dense out to resize it",
        }
    }
}

#[cfg(test)]
mod tests {
    use image::error::{LimitError, LimitErrorKind};

    use super::*;

    #[test]
    fn a_picture_that_needs_too_much_memory_is_unsupported_rather_than_damaged() {
        let error = ImageError::Limits(LimitError::from_kind(LimitErrorKind::InsufficientMemory));
        let error = PictureError::of_decoder("TIFF", &error);
        assert!(matches!(error, PictureError::UnsupportedKind { format: "TIFF", .. }), "{error}");
    }
}
