//! Random erasing: fills a rectangle of an image with random pixels (arXiv:1708.04896).

use nin_random::{Stream, unit};

/// The range of areas, as shares of the image, and of aspect ratios (arXiv:1708.04896, table 1).
const ERASED_AREA: [f32; 2] = [0.02, 0.4];
const ERASED_ASPECT: [f32; 2] = [0.3, 1.0 / 0.3];
/// Attempts to draw a rectangle that fits into the image.
const TRIES: u64 = 10;
/// Positions of the rectangles (blocks) and of the pixels (words) in the random stream of an image.
const RECTANGLES: u64 = 32;
const PIXELS: u64 = 1 << 16;

/// Fills a random rectangle of an image of `[height, width]`, the same one in all planes.
pub(super) fn erase<T>(
    stream: &Stream,
    [height, width]: [usize; 2],
    pixels: &mut [T],
    random: impl Fn(u32) -> T,
) {
    for rectangle in 0..TRIES {
        let [area, aspect, top, left] = stream.block(RECTANGLES + rectangle).map(unit);
        let area =
            (ERASED_AREA[0] + area * (ERASED_AREA[1] - ERASED_AREA[0])) * (height * width) as f32;
        // Uniform in log space, so that tall and wide rectangles are equally likely.
        let [low, high] = ERASED_ASPECT.map(f32::ln);
        let aspect = (low + aspect * (high - low)).exp();
        let tall = (area * aspect).sqrt().round() as usize;
        let wide = (area / aspect).sqrt().round() as usize;
        if tall == 0 || wide == 0 || tall >= height || wide >= width {
            continue;
        }
        let top = (top * (height - tall + 1) as f32) as usize;
        let left = (left * (width - wide + 1) as f32) as usize;
        for start in (0..pixels.len()).step_by(height * width) {
            for y in top..top + tall {
                for x in left..left + wide {
                    let at = start + y * width + x;
                    pixels[at] = random(stream.word(PIXELS + at as u64));
                }
            }
        }
        return;
    }
}
