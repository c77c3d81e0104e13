//! Resize equal to PIL's bilinear filter, bit for bit: what the book's loader does.
//!
//! `Image.resize(size, BILINEAR)` of Pillow on 8-bit grey images (`src/libImaging/Resample.c`): a
//! triangle filter as wide as the scale where the image shrinks, coefficients in 22-bit fixed
//! point, along each row first, then along the columns, rounded to bytes in between. (Pillow 13 takes
//! the other order for some sizes that are not square.)

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

/// What one output pixel takes of the input line: so many neighbours from `start` on.
#[derive(Debug, Clone, PartialEq)]
struct Taps {
    start: usize,
    coefficients: Vec<i32>,
}

impl Resizer {
    /// A resize between two `[height, width]` sizes, none of them zero.
    pub fn new(from: [usize; 2], to: [usize; 2]) -> Self {
        Self { from, to, rows: taps(from[0], to[0]), columns: taps(from[1], to[1]) }
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
    /// # Panics
    /// Where there are fewer pixels than the input size has.
    pub fn resize(&self, pixels: &[u8], output: &mut Vec<u8>) {
        let [height, width] = self.from;
        if self.from == self.to {
            output.extend_from_slice(&pixels[..height * width]);
            return;
        }
        let out_width = self.to[1];
        let mut wide = Vec::with_capacity(height * out_width);
        for row in pixels[..height * width].chunks_exact(width) {
            self.resize_row(row, &mut wide);
        }
        if height == self.to[0] {
            output.extend_from_slice(&wide);
            return;
        }
        let mut sums = vec![0_i32; out_width];
        for taps in &self.rows {
            sums.fill(HALF);
            for (offset, &coefficient) in taps.coefficients.iter().enumerate() {
                let row = &wide[(taps.start + offset) * out_width..][..out_width];
                for (sum, &pixel) in sums.iter_mut().zip(row) {
                    *sum += i32::from(pixel) * coefficient;
                }
            }
            output.extend(sums.iter().map(|&sum| to_byte(sum)));
        }
    }

    fn resize_row(&self, row: &[u8], output: &mut Vec<u8>) {
        if self.from[1] == self.to[1] {
            output.extend_from_slice(row);
            return;
        }
        output.extend(self.columns.iter().map(|taps| {
            let neighbours = &row[taps.start..][..taps.coefficients.len()];
            let products = neighbours.iter().zip(&taps.coefficients);
            to_byte(products.fold(HALF, |sum, (&pixel, &factor)| sum + i32::from(pixel) * factor))
        }));
    }
}

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// PIL's `precompute_coeffs` and `normalize_coeffs_8bpc`, in the same order of operations.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let filter_scale = scale.max(1.0);
    // The triangle reaches one pixel to each side, times the scale.
    let support = filter_scale;
    let inverse = 1.0 / filter_scale;
    (0..to)
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
