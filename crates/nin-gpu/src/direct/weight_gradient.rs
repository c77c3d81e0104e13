//! The gradients of a convolution's weight and bias: sums over images and pixels.
//!
//! There are many more products per sum than in the other passes, and far fewer sums. So the pixels are divided into parts;
//! each workgroup sums one part, and a second kernel adds the parts in their order. Atomic additions would need no second
//! kernel, and give other bits each time.

use cubecl::ir::StorageType;
use cubecl::prelude::*;

use crate::geometry::Window;
use crate::product::{
    Copying, Factors, Quad, column_of, depth_of, multiply, no_sums, quad_of, row_of, store, sum_of,
};
use crate::tile::{QUAD, Tile};

/// Computes the sums of each part: `[parts, outputs, inputs * taps]`, then `[parts, outputs]` of the bias.
#[cube(launch)]
pub(super) fn weight_gradient<F: Float, I: Float, O: Float>(
    input: &Array<I>,
    gradient: &Array<O>,
    partial: &mut Array<f32>,
    batch: usize,
    inputs: usize,
    outputs: usize,
    height: usize,
    width: usize,
    output_height: usize,
    output_width: usize,
    part_depth: usize,
    #[comptime] window: Window,
    #[comptime] tile: Tile,
    #[define(F, I, O)] _types: [StorageType; 3],
) {
    let taps = comptime!(window.taps());
    let along_rows = comptime!(Copying::rows(tile, true));
    let along_columns = comptime!(Copying::columns(tile, true));
    let first_column = CUBE_POS_X as usize * comptime!(tile.columns);
    let first_row = CUBE_POS_Y as usize * comptime!(tile.rows);
    let part = CUBE_POS_Z as usize;
    let pixels = output_height * output_width;
    let columns = inputs * taps;
    let first_depth_of_part = part * part_depth;
    let depth = min(batch * pixels, first_depth_of_part + part_depth);

    let mut rows_stored = SharedMemory::<Factors<F>>::new(comptime!(along_rows.len()));
    let mut columns_stored = SharedMemory::<Factors<F>>::new(comptime!(along_columns.len()));
    let mut rows_copied = Array::<Factors<F>>::new(comptime!(along_rows.count()));
    let mut columns_copied = Array::<Factors<F>>::new(comptime!(along_columns.count()));
    let mut sums = no_sums(tile);
    // The first workgroup of each row of workgroups also sums the rows.
    let sums_rows = CUBE_POS_X == 0 && (UNIT_POS as usize) < comptime!(tile.rows / QUAD);
    let mut row_sums = Quad::new(0.0);

    for step in 0..part_depth.div_ceil(comptime!(tile.depth)) {
        // All vectors of a thread have the same depth.
        let k = first_depth_of_part + step * comptime!(tile.depth) + depth_of(0usize, along_rows);
        let image = k / pixels;
        let pixel = k % pixels;
        let top = pixel / output_width * comptime!(window.stride) - comptime!(window.padding);
        let left = pixel % output_width * comptime!(window.stride) - comptime!(window.padding);
        #[unroll]
        for at in 0..comptime!(along_rows.count()) {
            let row = first_row + quad_of(at, along_rows);
            let mut quad = Factors::<F>::empty();
            #[unroll]
            for q in 0..comptime!(QUAD) {
                let row = row + comptime!(q * tile.rows / QUAD);
                let mut value = F::new(0.0);
                if k < depth && row < outputs {
                    value = F::cast_from(gradient[(image * outputs + row) * pixels + pixel]);
                }
                quad[q] = value;
            }
            rows_copied[at] = quad;
        }
        #[unroll]
        for at in 0..comptime!(along_columns.count()) {
            let column = first_column + quad_of(at, along_columns);
            let mut quad = Factors::<F>::empty();
            #[unroll]
            for q in 0..comptime!(QUAD) {
                let column = column + comptime!(q * tile.columns / QUAD);
                let channel = column / taps;
                let tap = column % taps;
                // Above and left of the input, these wrap around to numbers that are too large.
                let y = top + tap / comptime!(window.kernel);
                let x = left + tap % comptime!(window.kernel);
                let mut value = F::new(0.0);
                if k < depth && channel < inputs && y < height && x < width {
                    value =
                        F::cast_from(input[((image * inputs + channel) * height + y) * width + x]);
                }
                quad[q] = value;
            }
            columns_copied[at] = quad;
        }
        sync_cube();
        store(&rows_copied, &mut rows_stored, along_rows);
        store(&columns_copied, &mut columns_stored, along_columns);
        sync_cube();
        if sums_rows {
            for depth in 0..comptime!(tile.depth) {
                let place = depth * comptime!(along_rows.stride()) + UNIT_POS as usize;
                row_sums += Quad::cast_from(rows_stored[place]);
            }
        }
        multiply(&rows_stored, &columns_stored, &mut sums, tile);
    }

    #[unroll]
    for i in 0..comptime!(tile.thread_rows) {
        let row = first_row + row_of(i, tile);
        if row < outputs {
            let place = (part * outputs + row) * columns;
            #[unroll]
            for j in 0..comptime!(tile.thread_columns) {
                let column = first_column + column_of(j, tile);
                if column < columns {
                    partial[place + column] = sum_of(&sums, i, j, tile);
                }
            }
        }
    }
    if sums_rows {
        #[unroll]
        for q in 0..comptime!(QUAD) {
            let row = first_row + UNIT_POS as usize + comptime!(q * tile.rows / QUAD);
            if row < outputs {
                let first = CUBE_COUNT_Z as usize * outputs * columns;
                partial[first + part * outputs + row] = row_sums[q];
            }
        }
    }
}

/// Adds the parts in their order.
#[cube(launch)]
pub(super) fn add_parts(
    partial: &Array<f32>,
    of_weight: &mut Array<f32>,
    of_bias: &mut Array<f32>,
    parts: usize,
    weight_len: usize,
    bias_len: usize,
) {
    let place = ABSOLUTE_POS;
    if place < weight_len {
        let mut sum = 0.0f32;
        for part in 0..parts {
            sum += partial[part * weight_len + place];
        }
        of_weight[place] = sum;
    } else if place < weight_len + bias_len {
        let mut sum = 0.0f32;
        for part in 0..parts {
            sum += partial[parts * weight_len + part * bias_len + place - weight_len];
        }
        of_bias[place - weight_len] = sum;
    }
}
