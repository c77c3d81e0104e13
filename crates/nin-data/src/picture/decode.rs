//! From a file's bytes to upright pixels without alpha.

use std::cell::Cell;
use std::io::Cursor;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, Once, PoisonError};

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::PictureError;

/// A camera of 64 megapixels is let in. A file of a few bytes can claim any size: what is more is
/// refused before a pixel is decoded.
const MOST_PIXELS: u64 = 1 << 26;
/// Pictures of more pixels are decoded one at a time, however many threads there are: one takes up to
/// a gigabyte.
const MANY_PIXELS: u64 = 1 << 24;
static LARGE: Mutex<()> = Mutex::new(());
/// Bytes that a decoder may ask for.
const MOST_DECODER_BYTES: u64 = 768 << 20;

/// An upright 8-bit picture, grey or colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// One plane (grey) or three (red, green, blue), each row after row.
    pub planes: Vec<Vec<u8>>,
    /// `[height, width]`, in pixels.
    pub size: [usize; 2],
}

impl Picture {
    /// Decodes PNG, JPEG or WebP, turned upright as EXIF says, transparent parts over white; of an
    /// animation the first picture.
    ///
    /// # Errors
    /// [`PictureError::UnknownFormat`], [`PictureError::TooManyPixels`],
    /// [`PictureError::Undecodable`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PictureError> {
        let (format, name) = match image::guess_format(bytes) {
            Ok(ImageFormat::Png) => (ImageFormat::Png, "PNG"),
            Ok(ImageFormat::Jpeg) => (ImageFormat::Jpeg, "JPEG"),
            Ok(ImageFormat::WebP) => (ImageFormat::WebP, "WebP"),
            _ => return Err(PictureError::UnknownFormat),
        };
        contained(|| Self::decode_as(format, name, bytes)).unwrap_or_else(|| {
            let reason = "its decoder broke down".to_owned();
            Err(PictureError::Undecodable { format: name, reason })
        })
    }

    fn decode_as(
        format: ImageFormat,
        name: &'static str,
        bytes: &[u8],
    ) -> Result<Self, PictureError> {
        let broken = |error: image::ImageError| PictureError::Undecodable {
            format: name,
            reason: error.to_string(),
        };
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(MOST_DECODER_BYTES);
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        reader.limits(limits);
        let mut decoder = reader.into_decoder().map_err(broken)?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > MOST_PIXELS {
            return Err(PictureError::TooManyPixels { width, height, limit: MOST_PIXELS });
        }
        let is_large = u64::from(width) * u64::from(height) > MANY_PIXELS;
        let _turn = is_large.then(|| LARGE.lock().unwrap_or_else(PoisonError::into_inner));
        // A picture with broken EXIF is still a picture.
        let orientation = decoder.orientation().ok();
        let mut image = DynamicImage::from_decoder(decoder).map_err(broken)?;
        if let Some(orientation) = orientation {
            image.apply_orientation(orientation);
        }
        Ok(Self::from_image(image))
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

    /// The same picture in one plane: PIL's `convert("L")`, the weights of ITU-R 601-2.
    #[must_use]
    pub fn into_grey(self) -> Self {
        let [red, green, blue] = &self.planes[..] else { return self };
        let grey = red
            .iter()
            .zip(green)
            .zip(blue)
            .map(|((&red, &green), &blue)| {
                let [red, green, blue] = [red, green, blue].map(u32::from);
                ((red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16) as u8
            })
            .collect();
        Self { planes: vec![grey], size: self.size }
    }

    /// The same picture in three planes.
    #[must_use]
    pub fn into_colour(self) -> Self {
        if self.planes.len() != 1 {
            return self;
        }
        Self { planes: vec![self.planes.concat(); 3], size: self.size }
    }
}

/// Calls a decoder that is not ours; `None` where it panics, of which nothing is printed. Fuzzing found
/// zune-jpeg 0.5.15 to do so at a JPEG whose components' sizes do not fit (`fuzz/seeds/picture/upsampling.jpg`).
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

/// Planes of pixels whose last channel is alpha, laid over white, as pages and shops show them.
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
    fn transparent_is_white_and_opaque_is_itself() {
        let planes = split_over_white::<4>(&[9, 8, 7, 255, 9, 8, 7, 0, 0, 0, 0, 51]);
        assert_eq!(planes, [[9, 255, 204], [8, 255, 204], [7, 255, 204]]);
    }

    #[test]
    fn a_decoder_that_panics_is_contained() {
        assert_eq!(contained(|| 1), Some(1));
        assert_eq!(contained(|| -> u8 { panic!("not to be seen") }), None);
    }

    /// Some of its decoder's code for other processors takes it.
    #[test]
    fn a_jpeg_that_its_decoder_panics_at_is_an_error_at_worst() {
        let bytes = include_bytes!("../../../../fuzz/seeds/picture/upsampling.jpg");
        let decoded = Picture::decode(bytes).map(|picture| picture.planes.len());
        assert!(matches!(decoded, Ok(3) | Err(PictureError::Undecodable { .. })), "{decoded:?}");
    }

    #[test]
    fn grey_is_pils() {
        // Image.new("RGB", (1, 1), colour).convert("L") of Pillow 11.3.
        for (colour, grey) in [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29)] {
            let planes = colour.map(|value: u8| vec![value]).to_vec();
            assert_eq!(Picture { planes, size: [1, 1] }.into_grey().planes, [[grey]]);
        }
    }
}
