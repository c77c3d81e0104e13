//! The transforms of images: inputs to points, gradients of outputs to points, and products to outputs.
//!
//! A thread transforms a tile of a channel. Neighbouring threads have neighbouring tiles, whose values at a point are
//! neighbours: `[points][channels][tiles]`, with the tiles of some images one after the other.

use cubecl::ir::StorageType;
use cubecl::prelude::*;

use super::line::transform;
use super::scheme::{Matrix, OUT, Scheme};

/// Transforms tiles of images `[channels, height, width]` from `first_image` on. Tiles overlap, and the first begins
/// `padding` pixels outside of the image.
#[cube(launch)]
pub(super) fn transform_input<E: Float>(
    images: &Array<E>,
    at_points: &mut Array<f32>,
    first_image: usize,
    channels: usize,
    height: usize,
    width: usize,
    tiles: usize,
    down: usize,
    across: usize,
    padding: usize,
    #[comptime] scheme: Scheme,
    #[define(E)] _element: StorageType,
) {
    let side = comptime!(scheme.tile());
    if ABSOLUTE_POS < channels * tiles {
        let channel = ABSOLUTE_POS / tiles;
        let tile = ABSOLUTE_POS % tiles;
        let image = first_image + tile / (down * across);
        // Above and left of the image, these wrap around to numbers that are too large.
        let top = tile % (down * across) / across * comptime!(OUT) - padding;
        let left = tile % across * comptime!(OUT) - padding;
        let plane = (image * channels + channel) * height * width;
        let mut column = Array::<f32>::new(side);
        let mut half = Array::<f32>::new(comptime!(side * side));
        #[unroll]
        for j in 0..side {
            let x = left + j;
            #[unroll]
            for i in 0..side {
                let y = top + i;
                let mut value = 0.0f32;
                if y < height && x < width {
                    value = f32::cast_from(images[plane + y * width + x]);
                }
                column[i] = value;
            }
            transform(
                &column,
                0usize,
                1usize,
                &mut half,
                j,
                side,
                comptime!(Matrix::Input(scheme)),
            );
        }
        let mut row = Array::<f32>::new(side);
        #[unroll]
        for i in 0..side {
            let first = comptime!(i * side);
            transform(
                &half,
                first,
                1usize,
                &mut row,
                0usize,
                1usize,
                comptime!(Matrix::Input(scheme)),
            );
            #[unroll]
            for j in 0..side {
                at_points[comptime!(i * side + j) * channels * tiles + ABSOLUTE_POS] = row[j];
            }
        }
    }
}

/// Transforms tiles of the gradient of outputs, `[channels, height, width]`, from `first_image` on.
#[cube(launch)]
pub(super) fn transform_gradient<E: Float>(
    gradient: &Array<E>,
    at_points: &mut Array<f32>,
    first_image: usize,
    channels: usize,
    height: usize,
    width: usize,
    tiles: usize,
    down: usize,
    across: usize,
    #[comptime] scheme: Scheme,
    #[define(E)] _element: StorageType,
) {
    let side = comptime!(scheme.tile());
    if ABSOLUTE_POS < channels * tiles {
        let channel = ABSOLUTE_POS / tiles;
        let tile = ABSOLUTE_POS % tiles;
        let image = first_image + tile / (down * across);
        let top = tile % (down * across) / across * comptime!(OUT);
        let left = tile % across * comptime!(OUT);
        let plane = (image * channels + channel) * height * width;
        let mut column = Array::<f32>::new(comptime!(OUT));
        let mut half = Array::<f32>::new(comptime!(side * OUT));
        #[unroll]
        for j in 0..comptime!(OUT) {
            let x = left + j;
            #[unroll]
            for i in 0..comptime!(OUT) {
                let y = top + i;
                let mut value = 0.0f32;
                if y < height && x < width {
                    value = f32::cast_from(gradient[plane + y * width + x]);
                }
                column[i] = value;
            }
            let matrix = comptime!(Matrix::OutputTransposed(scheme));
            transform(&column, 0usize, 1usize, &mut half, j, comptime!(OUT), matrix);
        }
        let mut row = Array::<f32>::new(side);
        #[unroll]
        for i in 0..side {
            let first = comptime!(i * OUT);
            let matrix = comptime!(Matrix::OutputTransposed(scheme));
            transform(&half, first, 1usize, &mut row, 0usize, 1usize, matrix);
            #[unroll]
            for j in 0..side {
                at_points[comptime!(i * side + j) * channels * tiles + ABSOLUTE_POS] = row[j];
            }
        }
    }
}

/// Transforms products into images `[channels, height, width]` from `first_image` on: with a bias, adds it and applies ReLU; with a
/// gate, masks the values where it is not positive.
#[cube(launch)]
pub(super) fn transform_output<E: Float>(
    at_points: &Array<f32>,
    bias: ComptimeOption<Array<f32>>,
    gate: ComptimeOption<Array<E>>,
    images: &mut Array<E>,
    first_image: usize,
    channels: usize,
    height: usize,
    width: usize,
    tiles: usize,
    down: usize,
    across: usize,
    #[comptime] scheme: Scheme,
    #[define(E)] _element: StorageType,
) {
    let side = comptime!(scheme.tile());
    if ABSOLUTE_POS < channels * tiles {
        let channel = ABSOLUTE_POS / tiles;
        let tile = ABSOLUTE_POS % tiles;
        let image = first_image + tile / (down * across);
        let top = tile % (down * across) / across * comptime!(OUT);
        let left = tile % across * comptime!(OUT);
        let plane = (image * channels + channel) * height * width;
        let mut column = Array::<f32>::new(side);
        let mut half = Array::<f32>::new(comptime!(OUT * side));
        #[unroll]
        for j in 0..side {
            #[unroll]
            for i in 0..side {
                column[i] = at_points[comptime!(i * side + j) * channels * tiles + ABSOLUTE_POS];
            }
            transform(
                &column,
                0usize,
                1usize,
                &mut half,
                j,
                side,
                comptime!(Matrix::Output(scheme)),
            );
        }
        #[comptime]
        let addend = match &bias {
            ComptimeOption::Some(bias) => bias[channel],
            ComptimeOption::None => 0.0f32,
        };
        let mut row = Array::<f32>::new(comptime!(OUT));
        #[unroll]
        for i in 0..comptime!(OUT) {
            let first = comptime!(i * side);
            transform(
                &half,
                first,
                1usize,
                &mut row,
                0usize,
                1usize,
                comptime!(Matrix::Output(scheme)),
            );
            let y = top + i;
            #[unroll]
            for j in 0..comptime!(OUT) {
                let x = left + j;
                if y < height && x < width {
                    let place = plane + y * width + x;
                    #[comptime]
                    let value = match &bias {
                        // Keeps NaN, which the larger of two numbers may not.
                        ComptimeOption::Some(_) => {
                            let sum = row[j] + addend;
                            select(sum < 0.0, 0.0, sum)
                        }
                        ComptimeOption::None => row[j],
                    };
                    #[comptime]
                    let masked = match &gate {
                        ComptimeOption::Some(gate) => {
                            select(f32::cast_from(gate[place]) > 0.0, value, 0.0)
                        }
                        ComptimeOption::None => value,
                    };
                    images[place] = E::cast_from(masked);
                }
            }
        }
    }
}
