//! Reads the header of a picture without decoding it.

use image::ImageDecoder;

use super::decode::{decodable_size, decoded_part, decoder_of};
use super::format::PictureFormat;
use super::{PictureError, jpeg};

/// Format, size and channels of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PictureHeader {
    /// The name of the format, such as `JPEG`.
    pub format: &'static str,
    /// `[height, width]` as stored, in pixels, before EXIF orientation.
    pub size: [usize; 2],
    /// Channels: 1 if stored in grey, else 3.
    pub channels: usize,
}

impl PictureHeader {
    /// Reads the header of a picture file.
    ///
    /// # Errors
    /// Returns [`PictureError::UnknownFormat`], [`PictureError::ForeignFormat`],
    /// [`PictureError::TooManyPixels`], [`PictureError::SideTooLong`],
    /// [`PictureError::UnsupportedKind`] or [`PictureError::Undecodable`].
    pub fn read(bytes: &[u8]) -> Result<Self, PictureError> {
        let format = PictureFormat::of_bytes(bytes)?;
        let name = format.name();
        if format == PictureFormat::Jpeg {
            let (size, channels) = jpeg::size_and_channels(bytes)?;
            return Ok(Self { format: name, size, channels });
        }
        let broken = |error: image::ImageError| PictureError::of_decoder(name, &error);
        let part = decoded_part(format, bytes);
        let decoder = decoder_of(format, &part).map_err(broken)?;
        let size = decodable_size(format, decoder.dimensions())?;
        let channels = if decoder.color_type().channel_count() < 3 { 1 } else { 3 };
        Ok(Self { format: name, size, channels })
    }
}
