//! The traversal of an image in tiles.

use crate::arch::generic::{BLOCK_PIXELS, Grid, balanced};
use crate::geometry::ConvGeometry;

/// How the output pixels of a convolution traverse its input.
#[derive(Debug)]
pub(super) struct Walk {
    /// The input, with its margin.
    pub(super) input: Grid,
    /// The output pixels, at the pitch of the input.
    pub(super) places: Grid,
    /// The distance in pixels from an output pixel to the input pixel under each tap.
    pub(super) taps: Vec<usize>,
}

impl Walk {
    /// Traverses a convolution of stride one, with `margin` zeros on each side of the input.
    fn new(input: [usize; 2], kernel: [usize; 2], margin: [usize; 2], output: [usize; 2]) -> Self {
        let pitch = input[1] + 2 * margin[1];
        let last = |rows: usize, columns: usize| (rows - 1) * pitch + columns;
        let places = last(output[0], output[1]).next_multiple_of(BLOCK_PIXELS);
        let taps: Vec<usize> = (0..kernel[0])
            .flat_map(|row| (0..kernel[1]).map(move |column| row * pitch + column))
            .collect();
        let first = margin[0] * pitch + margin[1];
        let reach = places + last(kernel[0], kernel[1]) - 1;
        let len = reach.max(first + last(input[0], input[1])).next_multiple_of(BLOCK_PIXELS);
        Self {
            input: Grid { rows: input[0], columns: input[1], pitch, first, len },
            places: Grid { rows: output[0], columns: output[1], pitch, first: 0, len: places },
            taps,
        }
    }

    /// Traverses contiguous pixels.
    pub(super) fn line(pixels: usize) -> Self {
        Self::new([1, pixels], [1, 1], [0, 0], [1, pixels])
    }

    /// Traverses the input of a forward pass over panels.
    pub(super) fn forward(geometry: &ConvGeometry) -> Self {
        if geometry.is_pointwise() {
            // As one row: margins between rows would waste places.
            return Self::line(largest_part(geometry));
        }
        Self::new(geometry.input, geometry.kernel, geometry.padding, geometry.output)
    }

    /// Traverses the output gradient for the input gradient, with the kernel rotated by 180 degrees.
    pub(super) fn backward(geometry: &ConvGeometry) -> Self {
        if geometry.is_pointwise() {
            return Self::forward(geometry);
        }
        let margin = [0, 1].map(|axis| geometry.kernel[axis] - 1 - geometry.padding[axis]);
        Self::new(geometry.output, geometry.kernel, margin, geometry.input)
    }
}

/// A range of pixels: all of an image, or some of the image of a 1x1 layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(super) first: usize,
    /// `None` for all pixels.
    count: Option<usize>,
}

/// Pixels of a 1x1 layer that stay in L2 while all products read them.
const PART_PIXELS: usize = 512;

impl Part {
    pub(super) const ALL: Self = Self { first: 0, count: None };

    /// Divides the pixels of a layer over panels into parts.
    pub(super) fn of(geometry: &ConvGeometry) -> Vec<Self> {
        if !geometry.is_pointwise() {
            return vec![Self::ALL];
        }
        let parts = balanced(geometry.in_pixels(), PART_PIXELS);
        parts.map(|(first, count)| Self { first, count: Some(count) }).collect()
    }

    /// Narrows the grid of the largest part to this part.
    pub(super) fn of_grid(self, grid: Grid) -> Grid {
        Grid { columns: self.count.unwrap_or(grid.columns), ..grid }
    }
}

/// Returns the number of pixels in the largest part of a 1x1 layer.
fn largest_part(geometry: &ConvGeometry) -> usize {
    balanced(geometry.in_pixels(), PART_PIXELS).map(|(_, count)| count).max().unwrap_or(0)
}
