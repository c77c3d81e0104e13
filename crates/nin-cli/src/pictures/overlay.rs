//! Draws a class map over the picture that it explains.

use std::io::Cursor;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageResult, Rgb, RgbImage};
use nin_data::Picture;
use nin_model::MapGeometry;

/// The smallest side of a drawing. Smaller pictures are enlarged.
const SMALLEST_SIDE: usize = 256;
/// Orange, which is readable on black, grey and white.
const HEAT: [f32; 3] = [255.0, 110.0, 0.0];
/// The opacity of the hottest cell.
const STRONGEST: f32 = 0.7;

/// Returns a PNG of the picture with a map over it. Each cell covers the pixels nearest to its centre, with an
/// opacity proportional to its share of `hottest`. Pixels outside the map are unchanged.
///
/// `rows` are the rows of the map, top to bottom.
///
/// # Errors
/// Those of the PNG encoder.
pub fn overlay(
    picture: &Picture,
    rows: &[Vec<f32>],
    geometry: MapGeometry,
    hottest: f32,
) -> ImageResult<Vec<u8>> {
    let [height, width] = picture.size;
    let scale = zoom(picture.size);
    let columns = rows.first().map_or(0, Vec::len);
    let shown = RgbImage::from_fn((width * scale) as u32, (height * scale) as u32, |x, y| {
        let [x, y] = [x, y].map(|at| at as usize / scale);
        let under = colour(picture, y * width + x);
        let cell = geometry.cell(y, rows.len()).zip(geometry.cell(x, columns));
        let Some((row, column)) = cell else { return Rgb(under) };
        let heat = if hottest > 0.0 { (rows[row][column] / hottest).clamp(0.0, 1.0) } else { 0.0 };
        Rgb(mixed(under, heat * STRONGEST))
    });
    encode_png(shown.as_raw(), [height * scale, width * scale], ExtendedColorType::Rgb8)
}

/// Returns the `[height, width]` of the PNG that [`overlay`] draws for a picture of this size.
pub fn shown_size(size: [usize; 2]) -> [usize; 2] {
    size.map(|side| side * zoom(size))
}

/// Returns the factor by which a picture is enlarged.
fn zoom([height, width]: [usize; 2]) -> usize {
    SMALLEST_SIDE.div_ceil(height.min(width)).max(1)
}

/// Encodes pixels of `[height, width]` as a PNG.
///
/// # Errors
/// Those of the PNG encoder.
pub fn encode_png(
    pixels: &[u8],
    [height, width]: [usize; 2],
    colour: ExtendedColorType,
) -> ImageResult<Vec<u8>> {
    let mut png = Cursor::new(Vec::new());
    PngEncoder::new(&mut png).write_image(pixels, width as u32, height as u32, colour)?;
    Ok(png.into_inner())
}

fn colour(picture: &Picture, at: usize) -> [u8; 3] {
    match &picture.planes[..] {
        [red, green, blue] => [red[at], green[at], blue[at]],
        planes => [planes[0][at]; 3],
    }
}

fn mixed(under: [u8; 3], share: f32) -> [u8; 3] {
    let mix = |under: u8, heat: f32| (f32::from(under) * (1.0 - share) + heat * share) as u8;
    [0, 1, 2].map(|channel| mix(under[channel], HEAT[channel]))
}
