//! Convolution + bias + ReLU.

use cubecl::ir::StorageType;
use cubecl::prelude::*;

use crate::geometry::Window;
use crate::product::{
    Copying, Factors, OUTSIDE, depth_of, multiply, no_sums, places_of, quad_of, row_of, store,
    sum_of,
};
use crate::tile::{QUAD, Tile};

/// Computes `relu(weight * input + bias)`, `[batch, outputs, pixels]`.
#[cube(launch)]
pub(super) fn forward<F: Float, I: Float, O: Float>(
    input: &Array<I>,
    weight: &Array<f32>,
    bias: &Array<f32>,
    output: &mut Array<O>,
    batch: usize,
    inputs: usize,
    outputs: usize,
    height: usize,
    width: usize,
    output_height: usize,
    output_width: usize,
    #[comptime] window: Window,
    #[comptime] tile: Tile,
    #[define(F, I, O)] _types: [StorageType; 3],
) {
    let taps = comptime!(window.taps());
    let along_rows = comptime!(Copying::rows(tile, true));
    let along_columns = comptime!(Copying::columns(tile, false));
    let first_column = CUBE_POS_X as usize * comptime!(tile.columns);
    let first_row = CUBE_POS_Y as usize * comptime!(tile.rows);
    let pixels = output_height * output_width;
    let columns = batch * pixels;
    let depth = inputs * taps;

    // The place in the input under the first tap of each column that this thread copies.
    let mut image = Array::<usize>::new(QUAD);
    let mut top = Array::<usize>::new(QUAD);
    let mut left = Array::<usize>::new(QUAD);
    #[unroll]
    for q in 0..comptime!(QUAD) {
        let column =
            first_column + quad_of(0usize, along_columns) + comptime!(q * tile.columns / QUAD);
        let pixel = column % pixels;
        let is_inside = column < columns;
        image[q] = column / pixels * inputs * height * width;
        top[q] = select(
            is_inside,
            pixel / output_width * comptime!(window.stride) - comptime!(window.padding),
            OUTSIDE,
        );
        left[q] = pixel % output_width * comptime!(window.stride) - comptime!(window.padding);
    }

    let mut rows_stored = SharedMemory::<Factors<F>>::new(comptime!(along_rows.len()));
    let mut columns_stored = SharedMemory::<Factors<F>>::new(comptime!(along_columns.len()));
    let mut rows_copied = Array::<Factors<F>>::new(comptime!(along_rows.count()));
    let mut columns_copied = Array::<Factors<F>>::new(comptime!(along_columns.count()));
    let mut sums = no_sums(tile);

    for step in 0..depth.div_ceil(comptime!(tile.depth)) {
        let first_depth = step * comptime!(tile.depth);
        #[unroll]
        for at in 0..comptime!(along_rows.count()) {
            let k = first_depth + depth_of(at, along_rows);
            let row = first_row + quad_of(at, along_rows);
            let mut quad = Factors::<F>::empty();
            #[unroll]
            for q in 0..comptime!(QUAD) {
                let row = row + comptime!(q * tile.rows / QUAD);
                let mut value = F::new(0.0);
                if k < depth && row < outputs {
                    value = F::cast_from(weight[row * depth + k]);
                }
                quad[q] = value;
            }
            rows_copied[at] = quad;
        }
        #[unroll]
        for at in 0..comptime!(along_columns.count()) {
            let k = first_depth + depth_of(at, along_columns);
            let channel = k / taps;
            let tap = k % taps;
            let mut quad = Factors::<F>::empty();
            #[unroll]
            for q in 0..comptime!(QUAD) {
                // Above and left of the input, these wrap around to numbers that are too large.
                let y = top[q] + tap / comptime!(window.kernel);
                let x = left[q] + tap % comptime!(window.kernel);
                let mut value = F::new(0.0);
                if channel < inputs && y < height && x < width {
                    value = F::cast_from(input[image[q] + (channel * height + y) * width + x]);
                }
                quad[q] = value;
            }
            columns_copied[at] = quad;
        }
        sync_cube();
        store(&rows_copied, &mut rows_stored, along_rows);
        store(&columns_copied, &mut columns_stored, along_columns);
        sync_cube();
        multiply(&rows_stored, &columns_stored, &mut sums, tile);
    }

    let places = places_of(first_column, columns, pixels, outputs, tile);
    #[unroll]
    for i in 0..comptime!(tile.thread_rows) {
        let row = first_row + row_of(i, tile);
        if row < outputs {
            let addend = bias[row];
            #[unroll]
            for j in 0..comptime!(tile.thread_columns) {
                if places[j] < OUTSIDE {
                    let place = places[j] + row * pixels;
                    let value = sum_of(&sums, i, j, tile) + addend;
                    // Keeps NaN, which the larger of two numbers may not.
                    output[place] = O::cast_from(select(value < 0.0, 0.0, value));
                }
            }
        }
    }
}
