//! Decodes the bytes of a file to upright pixels without alpha.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::Cursor;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageReader, Limits};
use tiff::TiffError;

use super::PictureError;
use super::cmyk::tiff_planes;
use super::format::PictureFormat;
use super::grey::grey_of;
use super::jpeg::{self, Jpeg, JpegError};
use super::memory;
use super::metadata::{Metadata, without_metadata};
use super::orientation::Orientation;
use super::whole::{png_flaw, webp_flaw};

/// The largest picture, enough for a 64-megapixel camera. A file of a few bytes can claim any size, so
/// larger ones are rejected before a pixel is decoded.
const MOST_PIXELS: u64 = 1 << 26;
/// The longest side. Each thread allocates buffers for a row, even if there are few pixels.
const LONGEST_SIDE: u32 = 65_535;
/// Pictures with more pixels are decoded one at a time across all threads, because one takes up to a
/// gigabyte.
const MANY_PIXELS: u64 = 1 << 24;
static LARGE: Mutex<()> = Mutex::new(());
/// Bytes that a decoder may allocate: four 32-bit values per pixel twice over, plus a base for its tables, and
/// never more than [`MOST_DECODER_BYTES`].
const DECODER_BYTES: u64 = 16 << 20;
const DECODER_BYTES_PER_PIXEL: u64 = 32;
const MOST_DECODER_BYTES: u64 = 768 << 20;

/// An upright 8-bit picture, grey or colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// One plane (grey) or three (red, green, blue), each `[height, width]` in row-major order.
    pub planes: Vec<Vec<u8>>,
    /// `[height, width]`, in pixels.
    pub size: [usize; 2],
}

impl Picture {
    /// Decodes a picture of any [`PictureFormat`]. Turns it upright by EXIF, blends transparent parts over
    /// white, and takes the first frame of an animation. A damaged picture is an error, as far as the format
    /// reveals damage.
    ///
    /// # Errors
    /// Returns [`PictureError::UnknownFormat`], [`PictureError::ForeignFormat`],
    /// [`PictureError::TooManyPixels`], [`PictureError::SideTooLong`],
    /// [`PictureError::UnsupportedKind`] or [`PictureError::Undecodable`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PictureError> {
        Self::decode_then(bytes, |picture| picture)
    }

    /// Decodes a picture and passes it to `then`, which should return something smaller. Large pictures take
    /// turns across all threads, so that only one of them is in memory at a time.
    ///
    /// # Errors
    /// Returns the errors of [`Picture::decode`].
    pub fn decode_then<T>(bytes: &[u8], then: impl FnOnce(Self) -> T) -> Result<T, PictureError> {
        let (picture, _turn) = Self::decode_in_turn(bytes)?;
        Ok(then(picture))
    }

    fn decode_in_turn(bytes: &[u8]) -> Result<(Self, Option<Turn>), PictureError> {
        let format = PictureFormat::of_bytes(bytes)?;
        let undecodable =
            |reason: String| PictureError::Undecodable { format: format.name(), reason };
        let flaw = match format {
            PictureFormat::Jpeg => return Self::decode_jpeg(bytes),
            PictureFormat::Png => png_flaw(bytes),
            PictureFormat::WebP => webp_flaw(bytes),
            PictureFormat::Bmp | PictureFormat::Gif | PictureFormat::Tiff => None,
        };
        if let Some(flaw) = flaw {
            return Err(undecodable(flaw.to_owned()));
        }
        contained(|| Self::decode_as(format, bytes))
            .unwrap_or_else(|| Err(undecodable("its decoder panicked".to_owned())))
    }

    fn decode_jpeg(bytes: &[u8]) -> Result<(Self, Option<Turn>), PictureError> {
        let (jpeg, turn) = jpeg::decode(bytes, MOST_PIXELS, turn)?;
        let Jpeg { mut planes, size, exif, xmp } = jpeg;
        let orientation = Orientation::of_metadata(exif.as_deref(), xmp.as_deref());
        let size = orientation.apply(&mut planes, size);
        Ok((Self { planes, size }, turn.flatten()))
    }

    fn decode_as(
        format: PictureFormat,
        bytes: &[u8],
    ) -> Result<(Self, Option<Turn>), PictureError> {
        let broken = |error: ImageError| PictureError::of_decoder(format.name(), &error);
        let part = decoded_part(format, bytes);
        let mut decoder = decoder_of(format, &part).map_err(broken)?;
        let size = decodable_size(format, decoder.dimensions())?;
        let turn = turn(size);
        let most_bytes = decoder_bytes(size);
        decoder.set_limits(limits(most_bytes)).map_err(broken)?;
        // A picture with broken metadata is still a picture.
        let orientation = if format == PictureFormat::Tiff {
            let number = decoder.orientation().map_or(1, image::metadata::Orientation::to_exif);
            Orientation::of_number(u16::from(number))
        } else {
            let Metadata { exif, xmp } = Metadata::of(format, bytes);
            // For GIF, the decoder has copied XMP out of the file.
            let is_gif = format == PictureFormat::Gif;
            let gif = if is_gif { decoder.xmp_metadata().ok().flatten() } else { None };
            Orientation::of_metadata(exif, xmp.or(gif.map(Cow::Owned)).as_deref())
        };
        let is_cmyk = decoder.original_color_type() == ExtendedColorType::Cmyk8;
        let cmyk = if format == PictureFormat::Tiff && is_cmyk {
            let planes = tiff_planes(bytes, most_bytes as usize);
            planes.map_err(|error| {
                let (format, reason) = (format.name(), error.to_string());
                match error {
                    TiffError::UnsupportedError(_) | TiffError::LimitsExceeded => {
                        PictureError::UnsupportedKind { format, reason }
                    }
                    _ => PictureError::Undecodable { format, reason },
                }
            })?
        } else {
            None
        };
        let Self { mut planes, size } = match cmyk {
            Some(planes) => Self { planes, size },
            None => Self::from_image(DynamicImage::from_decoder(decoder).map_err(broken)?),
        };
        let size = orientation.apply(&mut planes, size);
        Ok((Self { planes, size }, turn))
    }

    fn from_image(image: DynamicImage) -> Self {
        let size = [image.height() as usize, image.width() as usize];
        let planes = match image {
            DynamicImage::ImageLuma8(grey) => vec![grey.into_raw()],
            DynamicImage::ImageLuma16(_) => vec![image.into_luma8().into_raw()],
            DynamicImage::ImageLumaA8(_) | DynamicImage::ImageLumaA16(_) => {
                split_over_white::<2>(&image.into_luma_alpha8().into_raw())
            }
            DynamicImage::ImageRgb8(colour) => split::<3>(&colour.into_raw()),
            colour if !colour.color().has_alpha() => split::<3>(&colour.into_rgb8().into_raw()),
            colour => split_over_white::<4>(&colour.into_rgba8().into_raw()),
        };
        Self { planes, size }
    }

    /// Keeps the memory of the planes for the next picture on this thread.
    pub(crate) fn recycle(self) {
        self.planes.into_iter().for_each(memory::give);
    }

    /// Converts to one plane, as PIL's `convert("L")` does, with the weights of ITU-R 601-2.
    #[must_use]
    pub fn into_grey(self) -> Self {
        let [red, green, blue] = &self.planes[..] else { return self };
        let grey = red
            .iter()
            .zip(green)
            .zip(blue)
            .map(|((&red, &green), &blue)| grey_of([red, green, blue]))
            .collect();
        let size = self.size;
        self.recycle();
        Self { planes: vec![grey], size }
    }

    /// Converts to three planes.
    #[must_use]
    pub fn into_colour(self) -> Self {
        if self.planes.len() != 1 {
            return self;
        }
        Self { planes: vec![self.planes.concat(); 3], size: self.size }
    }
}

impl From<JpegError> for PictureError {
    fn from(error: JpegError) -> Self {
        let format = PictureFormat::Jpeg.name();
        match error {
            JpegError::TooManyPixels(size) => too_many_pixels(size),
            JpegError::Damaged(reason) => Self::Undecodable { format, reason },
            JpegError::Unsupported(reason) => Self::UnsupportedKind { format, reason },
        }
    }
}

/// The turn of a large picture, held until dropped.
type Turn = MutexGuard<'static, ()>;

/// Returns the part of a file that its decoder needs.
pub(super) fn decoded_part(format: PictureFormat, bytes: &[u8]) -> Cow<'_, [u8]> {
    if format == PictureFormat::Png { without_metadata(bytes) } else { bytes.into() }
}

/// Creates the decoder for the [`decoded_part`] of a file. It has read the header.
pub(super) fn decoder_of(
    format: PictureFormat,
    part: &[u8],
) -> Result<impl ImageDecoder + '_, ImageError> {
    let mut reader = ImageReader::with_format(Cursor::new(part), format.codec());
    // The PNG decoder keeps this limit for the whole file; it only needs a few rows.
    reader.limits(limits(DECODER_BYTES));
    reader.into_decoder()
}

fn limits(most_bytes: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(most_bytes);
    limits
}

/// Returns the bytes that the decoder of a picture of `[height, width]` may allocate.
fn decoder_bytes([height, width]: [usize; 2]) -> u64 {
    let pixels = height as u64 * width as u64;
    (DECODER_BYTES + pixels * DECODER_BYTES_PER_PIXEL).min(MOST_DECODER_BYTES)
}

/// Waits for the turn of a picture of `[height, width]`, if it is large.
fn turn([height, width]: [usize; 2]) -> Option<Turn> {
    let is_large = height as u64 * width as u64 > MANY_PIXELS;
    is_large.then(|| LARGE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Returns `[height, width]`, or an error if pictures of this size are not decoded.
pub(super) fn decodable_size(
    format: PictureFormat,
    (width, height): (u32, u32),
) -> Result<[usize; 2], PictureError> {
    let size = [height as usize, width as usize];
    if width == 0 || height == 0 {
        let reason = "it has no pixels".to_owned();
        return Err(PictureError::Undecodable { format: format.name(), reason });
    }
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(too_many_pixels(size));
    }
    if width.max(height) > LONGEST_SIDE {
        return Err(PictureError::SideTooLong { width, height, limit: LONGEST_SIDE });
    }
    Ok(size)
}

fn too_many_pixels([height, width]: [usize; 2]) -> PictureError {
    let [height, width] = [height, width].map(|side| side as u32);
    PictureError::TooManyPixels { width, height, limit: MOST_PIXELS }
}

/// Calls a third-party decoder. If it panics, returns `None` and prints nothing.
fn contained<T>(decode: impl FnOnce() -> T) -> Option<T> {
    thread_local! {
        static IS_CONTAINED: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |information| {
            if !IS_CONTAINED.get() {
                usual(information);
            }
        }));
    });
    IS_CONTAINED.set(true);
    let decoded = panic::catch_unwind(AssertUnwindSafe(decode));
    IS_CONTAINED.set(false);
    decoded.ok()
}

fn split<const N: usize>(pixels: &[u8]) -> Vec<Vec<u8>> {
    let pixels = pixels.as_chunks::<N>().0;
    (0..N).map(|channel| pixels.iter().map(|pixel| pixel[channel]).collect()).collect()
}

/// Splits pixels whose last channel is alpha into planes, blended over white as on a web page.
fn split_over_white<const N: usize>(pixels: &[u8]) -> Vec<Vec<u8>> {
    let over_white = |value: u8, alpha: u8| {
        let [value, alpha] = [value, alpha].map(u32::from);
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let pixels = pixels.as_chunks::<N>().0;
    (0..N - 1)
        .map(|channel| {
            pixels.iter().map(|pixel| over_white(pixel[channel], pixel[N - 1])).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transparent_pixels_blend_over_white() {
        let planes = split_over_white::<4>(&[9, 8, 7, 255, 9, 8, 7, 0, 0, 0, 0, 51]);
        assert_eq!(planes, [[9, 255, 204], [8, 255, 204], [7, 255, 204]]);
    }

    #[test]
    fn a_decoder_that_panics_is_contained() {
        assert_eq!(contained(|| 1), Some(1));
        assert_eq!(contained(|| -> u8 { panic!("not to be seen") }), None);
    }

    #[test]
    fn grey_matches_pil() {
        // Image.new("RGB", (1, 1), colour).convert("L") in Pillow 11.3.
        for (colour, grey) in [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29)] {
            let planes = colour.map(|value: u8| vec![value]).to_vec();
            assert_eq!(Picture { planes, size: [1, 1] }.into_grey().planes, [[grey]]);
        }
    }
}
