//! Converts CMYK TIFFs as PIL does.

use std::io::Cursor;

use tiff::TiffResult;
use tiff::decoder::{Decoder, DecodingResult, Limits};

/// Returns the red, green and blue planes of an 8-bit CMYK TIFF, or `None` for any other TIFF.
pub(super) fn tiff_planes(bytes: &[u8], most_bytes: usize) -> TiffResult<Option<Vec<Vec<u8>>>> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = most_bytes;
    limits.intermediate_buffer_size = most_bytes;
    let mut decoder = Decoder::new(Cursor::new(bytes))?.with_limits(limits);
    if decoder.colortype()? != tiff::ColorType::CMYK(8) {
        return Ok(None);
    }
    let DecodingResult::U8(values) = decoder.read_image()? else { return Ok(None) };
    let (width, height) = decoder.dimensions()?;
    if values.len() as u64 != 4 * u64::from(width) * u64::from(height) {
        // The inks are in separate planes, of which the decoder reads only the first.
        return Ok(None);
    }
    let pixels = values.as_chunks::<4>().0;
    let plane = |ink: usize| pixels.iter().map(|pixel| light(pixel[ink], pixel[3])).collect();
    Ok(Some((0..3).map(plane).collect()))
}

/// Computes the light that ink and black leave.
fn light(ink: u8, black: u8) -> u8 {
    let white = u32::from(255 - black);
    let taken = u32::from(ink) * white + 128;
    white.saturating_sub(((taken >> 8) + taken) >> 8) as u8
}
