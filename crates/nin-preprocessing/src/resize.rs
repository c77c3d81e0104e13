//! Bilinear resize, bit-identical to PIL's, which the book's data loader uses.
//!
//! Implements Pillow's `Image.resize(size, BILINEAR)` on 8-bit grey images (`src/libImaging/Resample.c`).
//! A triangle filter, widened by the scale when the image shrinks, has coefficients in 22-bit fixed point.
//! It is applied along the rows, rounded to bytes, then along the columns. (Pillow 13 swaps the two passes
//! for some sizes that are not square.)

// Vectorized code must be inlined; `nin_kernels::Vectorize` explains why.
#![allow(clippy::inline_always)]

use std::ops::Range;

use nin_kernels::{Vectorize, transposed, vectorized};

/// Fractional bits of a coefficient: 32, minus 8 for the pixel, minus 2 for overshooting sums.
const PRECISION_BITS: u32 = 32 - 8 - 2;
const HALF: i32 = 1 << (PRECISION_BITS - 1);

/// A resize between two fixed sizes. Coefficients are computed once, on construction.
#[derive(Debug, Clone, PartialEq)]
pub struct Resizer {
    from: [usize; 2],
    /// The size of the full result; the output is a window of size `to` in it.
    scaled: [usize; 2],
    to: [usize; 2],
    rows: Filter,
    columns: Filter,
}

/// The filter in one direction. Every output pixel is a weighted sum of the same number of consecutive
/// input pixels; some coefficients may be 0.
#[derive(Debug, Clone, PartialEq)]
struct Filter {
    /// The first input pixel of each output pixel, never decreasing.
    starts: Vec<usize>,
    /// Coefficients per output pixel.
    count: usize,
    coefficients: Vec<i32>,
}

impl Resizer {
    /// Creates a resize between two `[height, width]` sizes. No side may be zero.
    pub fn new(from: [usize; 2], to: [usize; 2]) -> Self {
        Self::window(from, to, [0, 0], to)
    }

    /// Creates a resize to `[height, width]` `scaled` that computes only the window of `size` at
    /// `[top, left]`. No side may be zero.
    ///
    /// # Panics
    /// Panics if the window exceeds `scaled`.
    pub fn window(
        from: [usize; 2],
        scaled: [usize; 2],
        [top, left]: [usize; 2],
        size: [usize; 2],
    ) -> Self {
        let [height, width] = size;
        assert!(
            top + height <= scaled[0] && left + width <= scaled[1],
            "the window exceeds the image"
        );
        Self {
            from,
            scaled,
            to: size,
            rows: Filter::new(from[0], scaled[0], top..top + height),
            columns: Filter::new(from[1], scaled[1], left..left + width),
        }
    }

    /// Returns the `[height, width]` of the input.
    pub fn from(&self) -> [usize; 2] {
        self.from
    }

    /// Returns the `[height, width]` of the result.
    pub fn size(&self) -> [usize; 2] {
        self.to
    }

    /// Resizes row-major `pixels` of the input size and appends the result to `output`.
    ///
    /// Resizes sixteen input rows at a time and adds them to the output rows they contribute to, so memory
    /// does not grow with the height of the input. The order of integer sums does not affect the result.
    ///
    /// # Panics
    /// Panics if there are fewer pixels than the input size needs.
    pub fn resize(&self, pixels: &[u8], output: &mut Vec<u8>) {
        let [height, width] = self.from;
        let pixels = &pixels[..height * width];
        if self.from == self.to && self.from == self.scaled {
            output.extend_from_slice(pixels);
            return;
        }
        let length = output.len();
        output.resize(length + self.to[0] * self.to[1], 0);
        vectorized(Resize { resizer: self, pixels, output: &mut output[length..] });
    }
}

impl Resizer {
    /// Resizes each row-major plane.
    ///
    /// # Panics
    /// Panics if a plane has fewer pixels than the input size needs.
    pub fn planes(&self, planes: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let plane = |plane: &Vec<u8>| {
            let mut output = Vec::with_capacity(self.to.iter().product());
            self.resize(plane, &mut output);
            output
        };
        planes.iter().map(plane).collect()
    }
}

/// The resize of one plane, as a vectorized operation.
struct Resize<'a> {
    resizer: &'a Resizer,
    pixels: &'a [u8],
    output: &'a mut [u8],
}

impl Vectorize for Resize<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { resizer, pixels, output } = self;
        resizer.resize_into(pixels, output);
    }
}

impl Resizer {
    #[inline(always)]
    fn resize_into(&self, pixels: &[u8], output: &mut [u8]) {
        let width = self.from[1];
        let mut sums = vec![HALF; self.to[0] * self.to[1]];
        let mut buffers = Buffers::new(width, self.to[1]);
        // Output rows before `first` are complete.
        let mut first = 0;
        for (block, pixels) in pixels.chunks(LANES * width).enumerate() {
            let rows = block * LANES..block * LANES + pixels.len() / width;
            let starts = &self.rows.starts[first..];
            first += starts.partition_point(|&start| start + self.rows.count <= rows.start);
            let touched = self.rows.starts[first..].partition_point(|&start| start < rows.end);
            if touched > 0 {
                self.add_rows(rows, pixels, first..first + touched, &mut sums, &mut buffers);
            }
        }
        for (byte, &sum) in output.iter_mut().zip(&sums) {
            *byte = to_byte(sum);
        }
    }

    /// Resizes input rows horizontally and adds them to the given output rows.
    #[inline(always)]
    fn add_rows(
        &self,
        rows: Range<usize>,
        pixels: &[u8],
        output: Range<usize>,
        sums: &mut [i32],
        buffers: &mut Buffers,
    ) {
        let (width, out_width) = (self.from[1], self.to[1]);
        let resized = if width == self.scaled[1] && width == out_width {
            pixels
        } else {
            transpose_rows(pixels, width, &mut buffers.columns);
            self.columns.apply(&buffers.columns, &mut buffers.out_columns);
            transpose_columns(&buffers.out_columns, out_width, &mut buffers.rows);
            &buffers.rows
        };
        for (at, sums) in output.clone().zip(sums.chunks_exact_mut(out_width).skip(output.start)) {
            let (start, coefficients) = self.rows.pixel(at);
            for row in rows.start.max(start)..rows.end.min(start + self.rows.count) {
                let factor = coefficients[row - start];
                let row = &resized[(row - rows.start) * out_width..][..out_width];
                for (sum, &pixel) in sums.iter_mut().zip(row) {
                    *sum += i32::from(pixel) * factor;
                }
            }
        }
    }
}

/// Rows that are resized together, one lane per row.
const LANES: usize = 16;

/// One byte from each of [`LANES`] rows.
type Column = [u8; LANES];

/// Memory that all blocks of rows share.
struct Buffers {
    /// The input's columns, up to whole squares.
    columns: Vec<Column>,
    /// The resized columns, up to whole squares.
    out_columns: Vec<Column>,
    /// The resized rows.
    rows: Vec<u8>,
}

impl Buffers {
    fn new(width: usize, out_width: usize) -> Self {
        let columns = |width: usize| vec![[0; LANES]; width.next_multiple_of(LANES)];
        Self {
            columns: columns(width),
            out_columns: columns(out_width),
            rows: vec![0; LANES * out_width],
        }
    }
}

/// Transposes up to [`LANES`] rows of `width` pixels into columns.
#[inline(always)]
fn transpose_rows(pixels: &[u8], width: usize, columns: &mut [Column]) {
    for (square, columns) in columns.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let first = square * LANES;
        let mut lines = [[0; LANES]; LANES];
        for (line, row) in lines.iter_mut().zip(pixels.chunks_exact(width)) {
            if let Some(&whole) = row[first..].first_chunk() {
                *line = whole;
            } else {
                line[..width - first].copy_from_slice(&row[first..]);
            }
        }
        *columns = transposed(lines);
    }
}

/// Transposes columns back into rows of `width` pixels.
#[inline(always)]
fn transpose_columns(columns: &[Column], width: usize, rows: &mut [u8]) {
    for (square, columns) in columns.as_chunks::<LANES>().0.iter().enumerate() {
        let first = square * LANES;
        let lines = transposed(*columns);
        for (line, row) in lines.into_iter().zip(rows.chunks_exact_mut(width)) {
            match row[first..].first_chunk_mut() {
                Some(part) => *part = line,
                None => row[first..].copy_from_slice(&line[..width - first]),
            }
        }
    }
}

#[inline(always)]
fn to_byte(sum: i32) -> u8 {
    // The sum fits in 16 bits, and 16-bit lanes clamp faster.
    ((sum >> PRECISION_BITS) as i16).clamp(0, 255) as u8
}

impl Filter {
    /// Computes PIL's `precompute_coeffs` and `normalize_coeffs_8bpc` for the `wanted` output pixels, with
    /// the same order of operations.
    fn new(from: usize, to: usize, wanted: Range<usize>) -> Self {
        let scale = from as f64 / to as f64;
        let filter_scale = scale.max(1.0);
        // The triangle extends one pixel to each side, times the scale.
        let support = filter_scale;
        let inverse = 1.0 / filter_scale;
        let range = |at: usize| {
            let center = (at as f64 + 0.5) * scale;
            let start = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            (center, start..end)
        };
        let count = wanted.clone().map(|at| range(at).1.len()).max().unwrap_or_default();
        let mut filter = Self {
            starts: Vec::with_capacity(wanted.len()),
            count,
            coefficients: vec![0; wanted.len() * count],
        };
        let mut weights = Vec::with_capacity(count);
        for (at, coefficients) in wanted.zip(filter.coefficients.chunks_exact_mut(count.max(1))) {
            let (center, range) = range(at);
            weights.clear();
            weights.extend(
                range.clone().map(|pixel| triangle((pixel as f64 - center + 0.5) * inverse)),
            );
            let total: f64 = weights.iter().sum();
            // A window that would run past the last input pixel starts earlier instead.
            let start = range.start.min(from - count);
            filter.starts.push(start);
            for (coefficient, &weight) in
                coefficients[range.start - start..].iter_mut().zip(&weights)
            {
                let weight = if total == 0.0 { weight } else { weight / total };
                *coefficient = (0.5 + weight * f64::from(1_u32 << PRECISION_BITS)) as i32;
            }
        }
        filter
    }

    /// Returns the first input pixel of an output pixel and its coefficients.
    #[inline(always)]
    fn pixel(&self, at: usize) -> (usize, &[i32]) {
        (self.starts[at], &self.coefficients[at * self.count..][..self.count])
    }

    #[inline(always)]
    fn apply(&self, columns: &[Column], output: &mut [Column]) {
        for (at, output) in output.iter_mut().enumerate().take(self.starts.len()) {
            let (start, coefficients) = self.pixel(at);
            let mut sums = [HALF; LANES];
            for (column, &factor) in columns[start..].iter().zip(coefficients) {
                for (sum, &pixel) in sums.iter_mut().zip(column) {
                    *sum += i32::from(pixel) * factor;
                }
            }
            *output = sums.map(to_byte);
        }
    }
}

fn triangle(distance: f64) -> f64 {
    (1.0 - distance.abs()).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resizing_to_the_same_size_changes_nothing() {
        let pixels: Vec<u8> = (0..12).collect();
        let mut output = Vec::new();
        Resizer::new([3, 4], [3, 4]).resize(&pixels, &mut output);
        assert_eq!(output, pixels);
    }

    #[test]
    fn a_window_equals_the_crop_of_the_full_result() {
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
        // Windows as large as the input, and windows that start at the first column.
        for (scaled, size) in [([14, 18], [13, 17]), ([13, 18], [13, 17]), ([14, 30], [14, 17])] {
            let whole = resized(Resizer::new([13, 17], scaled));
            let part = resized(Resizer::window([13, 17], scaled, [0, 0], size));
            for (row, part) in part.chunks_exact(size[1]).enumerate() {
                assert_eq!(part, &whole[row * scaled[1]..][..size[1]], "{scaled:?}");
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
