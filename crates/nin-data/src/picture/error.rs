//! What can be wrong with a picture.

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
    /// The bytes are of another kind.
    #[error("neither PNG, JPEG nor WebP")]
    UnknownFormat,
    /// The decoder gave up.
    #[error("not a whole {format} picture: {reason}")]
    Undecodable {
        /// PNG, JPEG or WebP.
        format: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// A folder without a picture.
    #[error("the folder holds no PNG, JPEG or WebP file")]
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
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "name PNG, JPEG or WebP files, folders of them, or - for standard input"
            }
            Self::FileTooLarge { .. } | Self::TooManyPixels { .. } => {
                "scale it down: the network sees no more than its input size"
            }
            Self::UnknownFormat | Self::NoPictures => {
                "convert other formats to PNG, JPEG or WebP first"
            }
            Self::Undecodable { .. } => "the file is cut off or damaged: fetch it again",
            Self::Channels { .. } => "take a checkpoint of a network for 1 or 3 channels",
            Self::Size { .. } => "leave --dense out, and it is resized",
        }
    }
}
