//! A class map over the picture that it explains.

use std::io::Cursor;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageResult, Rgb, RgbImage};
use nin_data::Picture;
use nin_model::MapGeometry;

/// Small pictures are shown with pixels so large that they have at least this side.
const SMALLEST_SIDE: usize = 256;
/// Orange: the one hue that reads on black, grey and white alike.
const HEAT: [f32; 3] = [255.0, 110.0, 0.0];
/// The share of the picture that the hottest cell hides.
const STRONGEST: f32 = 0.7;

/// A PNG of the picture with a map laid over it: each cell over the pixels whose nearest centre it
/// is, the stronger the more of `hottest` it has. Pixels that are no cell's stay as they are.
///
/// `rows` are the map's, top to bottom.
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

/// `[height, width]` of the PNG that [`overlay`] makes of a picture of this size.
pub fn shown_size(size: [usize; 2]) -> [usize; 2] {
    size.map(|side| side * zoom(size))
}

/// Pixels along each side that a pixel is shown as.
fn zoom([height, width]: [usize; 2]) -> usize {
    SMALLEST_SIDE.div_ceil(height.min(width)).max(1)
}

/// The bytes of a PNG of these pixels, of `[height, width]`.
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
