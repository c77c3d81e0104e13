//! Why a JPEG file is not decoded.

/// Why a file is not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JpegError {
    /// The file is truncated or damaged.
    Damaged(String),
    /// The file uses a feature that is not supported.
    Unsupported(String),
    /// A picture of this `[height, width]` has too many pixels.
    TooManyPixels([usize; 2]),
}

/// Refuses a truncated or damaged file.
pub(super) fn damaged<T>(reason: impl Into<String>) -> Result<T, JpegError> {
    Err(JpegError::Damaged(reason.into()))
}

/// Refuses a feature that is not supported.
pub(super) fn unsupported<T>(reason: impl Into<String>) -> Result<T, JpegError> {
    Err(JpegError::Unsupported(reason.into()))
}
