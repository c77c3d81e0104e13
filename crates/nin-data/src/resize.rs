//! Resize equal to PIL's bilinear filter, bit for bit: what the book's loader does.
//!
//! `Image.resize(size, BILINEAR)` of Pillow on 8-bit grey images (`src/libImaging/Resample.c`): a
//! triangle filter as wide as the scale where the image shrinks, coefficients in 22-bit fixed
//! point, along each row first, then along the columns, rounded to bytes in between. (Pillow 13 takes
//! the other order for some sizes that are not square.)

use std::ops::Range;

/// Bits behind the point of a coefficient: 32 less 8 of the pixel, less 2 for sums beyond it.
const PRECISION_BITS: u32 = 32 - 8 - 2;
const HALF: i32 = 1 << (PRECISION_BITS - 1);

/// A resize from one size to another; its coefficients are computed once.
#[derive(Debug, Clone, PartialEq)]
pub struct Resizer {
    from: [usize; 2],
    to: [usize; 2],
    rows: Vec<Taps>,
    columns: Vec<Taps>,
}

/// The input pixels that one output pixel is a sum of: neighbours from `start` on.
#[derive(Debug, Clone, PartialEq)]
struct Taps {
    start: usize,
    coefficients: Vec<i32>,
}

impl Taps {
    fn end(&self) -> usize {
        self.start + self.coefficients.len()
    }
}

impl Resizer {
    /// A resize between two `[height, width]` sizes, none of them zero.
    pub fn new(from: [usize; 2], to: [usize; 2]) -> Self {
        Self::window(from, to, [0, 0], to)
    }

    /// A resize to the `[height, width]` size `scaled`, of which only the window of `size` at
    /// `[top, left]` is computed. No size is zero, and the window lies inside.
    ///
    /// # Panics
    /// If the window does not lie inside `scaled`.
    pub fn window(
        from: [usize; 2],
        scaled: [usize; 2],
        [top, left]: [usize; 2],
        size: [usize; 2],
    ) -> Self {
        let [height, width] = size;
        assert!(top + height <= scaled[0] && left + width <= scaled[1], "a window inside");
        Self {
            from,
            to: size,
            rows: taps(from[0], scaled[0], top..top + height),
            columns: taps(from[1], scaled[1], left..left + width),
        }
    }

    /// `[height, width]` of the images that it takes.
    pub fn from(&self) -> [usize; 2] {
        self.from
    }

    /// `[height, width]` of the result.
    pub fn size(&self) -> [usize; 2] {
        self.to
    }

    /// Appends the resized image to `output`; `pixels` are row after row of the input size.
    ///
    /// Each input row is resized once and added to the output rows that it is part of, so that
    /// memory is the output's, however high the input is. Sums of integers do not depend on order.
    ///
    /// # Panics
    /// Where there are fewer pixels than the input size has.
    pub fn resize(&self, pixels: &[u8], output: &mut Vec<u8>) {
        let [height, width] = self.from;
        let pixels = &pixels[..height * width];
        if self.from == self.to {
            output.extend_from_slice(pixels);
            return;
        }
        let out_width = self.to[1];
        let mut row = vec![0_u8; out_width];
        let mut sums = vec![HALF; self.to[0] * out_width];
        // Output rows `first..` are not complete; starts and ends grow from row to row.
        let mut first = 0;
        for (at, pixels) in pixels.chunks_exact(width).enumerate() {
            first += self.rows[first..].iter().take_while(|taps| taps.end() <= at).count();
            let touched = self.rows[first..].iter().take_while(|taps| taps.start <= at).count();
            if touched == 0 {
                continue;
            }
            self.resize_row(pixels, &mut row);
            let sums = sums[first * out_width..].chunks_exact_mut(out_width);
            for (taps, sums) in self.rows[first..first + touched].iter().zip(sums) {
                let Some(&coefficient) = taps.coefficients.get(at - taps.start) else { continue };
                for (sum, &pixel) in sums.iter_mut().zip(&row) {
                    *sum += i32::from(pixel) * coefficient;
                }
            }
        }
        output.extend(sums.iter().map(|&sum| to_byte(sum)));
    }

    fn resize_row(&self, row: &[u8], output: &mut [u8]) {
        if self.from[1] == self.to[1] {
            output.copy_from_slice(row);
            return;
        }
        for (value, taps) in output.iter_mut().zip(&self.columns) {
            let neighbours = &row[taps.start..taps.end()];
            let products = neighbours.iter().zip(&taps.coefficients);
            let sum = products.fold(HALF, |sum, (&pixel, &factor)| sum + i32::from(pixel) * factor);
            *value = to_byte(sum);
        }
    }
}

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// PIL's `precompute_coeffs` and `normalize_coeffs_8bpc`, in the same order of operations, for some
/// of the output pixels.
fn taps(from: usize, to: usize, wanted: Range<usize>) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let filter_scale = scale.max(1.0);
    // The triangle reaches one pixel to each side, times the scale.
    let support = filter_scale;
    let inverse = 1.0 / filter_scale;
    wanted
        .map(|at| {
            let center = (at as f64 + 0.5) * scale;
            let start = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let weights: Vec<f64> = (start..end)
                .map(|pixel| triangle((pixel as f64 - center + 0.5) * inverse))
                .collect();
            let total: f64 = weights.iter().sum();
            let coefficients = weights
                .into_iter()
                .map(|weight| if total == 0.0 { weight } else { weight / total })
                .map(|weight| (0.5 + weight * f64::from(1_u32 << PRECISION_BITS)) as i32)
                .collect();
            Taps { start, coefficients }
        })
        .collect()
}

fn triangle(distance: f64) -> f64 {
    (1.0 - distance.abs()).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_size_is_the_same_image() {
        let pixels: Vec<u8> = (0..12).collect();
        let mut output = Vec::new();
        Resizer::new([3, 4], [3, 4]).resize(&pixels, &mut output);
        assert_eq!(output, pixels);
    }

    #[test]
    fn a_window_is_a_part_of_the_whole() {
        let pixels: Vec<u8> = (0..13 * 17).map(|at| (at * 89 % 251) as u8).collect();
        let resized = |resizer: Resizer| {
            let mut output = Vec::new();
            resizer.resize(&pixels, &mut output);
            output
        };
        for scaled in [[13, 17], [5, 8], [40, 9], [13, 30]] {
            let whole = resized(Resizer::new([13, 17], scaled));
            let part = resized(Resizer::window([13, 17], scaled, [1, 2], [3, 5]));
            for (row, part) in part.chunks_exact(5).enumerate() {
                assert_eq!(part, &whole[(1 + row) * scaled[1] + 2..][..5], "{scaled:?}");
            }
        }
    }

    #[test]
    fn a_flat_image_stays_flat() {
        for to in [[1, 1], [5, 2], [97, 224]] {
            for grey in [0, 1, 128, 255] {
                let mut output = Vec::new();
                Resizer::new([28, 28], to).resize(&[grey; 784], &mut output);
                assert_eq!(output, vec![grey; to[0] * to[1]], "{to:?}");
            }
        }
    }
}
