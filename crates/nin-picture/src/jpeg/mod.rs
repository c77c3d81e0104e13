//! A strict JPEG decoder: pixels identical to libjpeg's, and an error unless every block is present.
//!
//! Browsers and libjpeg show what they can of a damaged file and fill the rest with grey. A classifier must
//! not, because a half-grey picture is a different picture. This decoder accepts a file only if each scan
//! holds exactly the blocks that its header announces:
//!
//! - every Huffman code exists, and no run of zeros leaves its block;
//! - every scan and restart interval ends where its last block ends, with nothing but padding before
//!   the next marker; restart markers come in order;
//! - no coefficient is larger than 8-bit pixels can cause;
//! - a progressive picture has every bit of every coefficient;
//! - the end marker is present, or nothing else is missing.
//!
//! It cannot detect a change that keeps the number of blocks, such as a replaced byte after which the codes
//! resynchronize within the block. The format has no checksum.
//!
//! Pixels are bit-identical to those of libjpeg-turbo with default settings (accurate integer DCT, smooth
//! chroma upsampling).

mod bits;
mod block;
mod colour;
mod dct;
mod error;
mod frame;
mod header;
mod huffman;
mod scan;
mod upsample;

pub(super) use self::error::JpegError;
use self::error::{damaged, unsupported};
use self::header::{Headers, Segment};
use self::scan::Planes;

/// A decoded picture, not yet turned upright.
pub(super) struct Jpeg {
    /// One plane (grey) or three (red, green, blue).
    pub(super) planes: Vec<Vec<u8>>,
    /// `[height, width]`, in pixels.
    pub(super) size: [usize; 2],
    /// The TIFF structure of an EXIF segment.
    pub(super) exif: Option<Vec<u8>>,
    /// The text of an XMP segment.
    pub(super) xmp: Option<Vec<u8>>,
}

/// The limit on scans; encoders write about ten. Each scan visits every block, even if it has few bytes.
const MOST_SCANS: usize = 100;

/// Returns the stored `[height, width]` and the number of planes, without decoding.
pub(super) fn size_and_channels(bytes: &[u8]) -> Result<([usize; 2], usize), JpegError> {
    let mut headers = Headers::new(bytes)?;
    headers.next_segment(false)?;
    let Some(frame) = &headers.frame else { return damaged("no frame header") };
    Ok((frame.size, if frame.components.len() == 1 { 1 } else { 3 }))
}

/// Decodes a JPEG file of at most `most_pixels` pixels. Calls `on_size` with `[height, width]` before it
/// allocates memory for pixels, and returns its result with the picture.
pub(super) fn decode<T>(
    bytes: &[u8],
    most_pixels: u64,
    on_size: impl FnOnce([usize; 2]) -> T,
) -> Result<(Jpeg, Option<T>), JpegError> {
    let mut headers = Headers::new(bytes)?;
    let mut on_size = Some(on_size);
    let mut guard = None;
    let mut planes: Option<Planes> = None;
    let mut scans = 0;
    loop {
        match headers.next_segment(planes.is_some())? {
            Segment::Scan(scan) => {
                scans += 1;
                if scans > MOST_SCANS {
                    return unsupported(format!("more than {MOST_SCANS} scans"));
                }
                let Some(frame) = headers.frame.as_ref() else {
                    return damaged("a scan before the frame header");
                };
                let planes = if let Some(planes) = &mut planes {
                    planes
                } else {
                    let [height, width] = frame.size;
                    if height as u64 * width as u64 > most_pixels {
                        return Err(JpegError::TooManyPixels(frame.size));
                    }
                    guard = on_size.take().map(|on_size| on_size(frame.size));
                    planes.insert(Planes::new(frame))
                };
                let end = planes.decode_scan(frame, &scan, &headers.tables, headers.rest())?;
                headers.skip(end);
            }
            Segment::End { has_marker } => {
                let (Some(frame), Some(planes)) = (headers.frame.as_ref(), planes.as_mut()) else {
                    return damaged("no pixels");
                };
                planes.finish(frame, has_marker)?;
                let colour = headers.colour_space(frame);
                let pixels = colour::to_pixels(frame, &planes.samples, colour);
                let (exif, xmp) = (headers.exif.take(), headers.xmp.take());
                return Ok((Jpeg { planes: pixels, size: frame.size, exif, xmp }, guard));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
        let [high, low] = (body.len() as u16 + 2).to_be_bytes();
        [&[0xFF, marker, high, low], body].concat()
    }

    /// A grey block with one scan per frequency and bit.
    fn progressive(bits: u8) -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xD8];
        bytes.extend(segment(0xDB, &[&[0][..], &[1; 64]].concat()));
        bytes.extend(segment(0xC2, &[8, 0, 8, 0, 8, 1, 1, 0x11, 0]));
        for class in [0x00, 0x10] {
            // A single one-bit code, for the symbol 0.
            bytes.extend(segment(0xC4, &[&[class, 1][..], &[0; 16]].concat()));
        }
        let mut scan = |first, last, approximation| {
            bytes.extend(segment(0xDA, &[1, 1, 0, first, last, approximation]));
            bytes.push(0x7F);
        };
        scan(0, 0, 0);
        for bit in (0..bits).rev() {
            for frequency in 1..64 {
                let high = if bit + 1 == bits { 0 } else { bit + 1 };
                scan(frequency, frequency, high << 4 | bit);
            }
        }
        bytes.extend([0xFF, 0xD9]);
        bytes
    }

    #[test]
    fn the_number_of_scans_is_bounded() {
        let decode = |bits| decode(&progressive(bits), 64, |_| ());
        assert_eq!(decode(1).map(|(jpeg, _)| jpeg.size).unwrap(), [8, 8]);
        let error = decode(2).map(|(jpeg, _)| jpeg.size).unwrap_err();
        assert_eq!(error, JpegError::Unsupported("more than 100 scans".to_owned()));
    }

    #[test]
    fn any_number_of_stuffed_bytes_is_skipped() {
        let bytes = [&[0xFF, 0xD8][..], &[0xFF, 0].repeat(1 << 20)].concat();
        let error = size_and_channels(&bytes).unwrap_err();
        assert_eq!(error, JpegError::Damaged("no frame header".to_owned()));
    }
}
