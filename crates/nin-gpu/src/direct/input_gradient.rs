//! The gradient of a convolution's input.

use cubecl::ir::StorageType;
use cubecl::prelude::*;

use crate::geometry::Window;
use crate::product::{
    Copying, Factors, OUTSIDE, depth_of, multiply, no_sums, places_of, quad_of, row_of, store,
    sum_of,
};
use crate::tile::{QUAD, Tile};

/// Computes the gradient of the input, `[batch, inputs, pixels]`. A gate is the input as the output of a ReLU, which passes no
/// gradient where it is zero.
#[cube(launch)]
pub(super) fn input_gradient<F: Float, I: Float, O: Float>(
    gradient: &Array<O>,
    weight: &Array<f32>,
    gate: ComptimeOption<Array<I>>,
    output: &mut Array<I>,
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
    // Of 1x1 kernels, the weights of neighbouring inputs are neighbours.
    let along_rows = comptime!(Copying::rows(tile, taps > 1));
    let along_columns = comptime!(Copying::columns(tile, false));
    let first_column = CUBE_POS_X as usize * comptime!(tile.columns);
    let first_row = CUBE_POS_Y as usize * comptime!(tile.rows);
    let pixels = height * width;
    let columns = batch * pixels;
    let depth = outputs * taps;

    // The last place of the kernel, times the stride, that covers each column that this thread copies.
    let mut image = Array::<usize>::new(QUAD);
    let mut bottom = Array::<usize>::new(QUAD);
    let mut right = Array::<usize>::new(QUAD);
    #[unroll]
    for q in 0..comptime!(QUAD) {
        let column =
            first_column + quad_of(0usize, along_columns) + comptime!(q * tile.columns / QUAD);
        let pixel = column % pixels;
        let is_inside = column < columns;
        image[q] = column / pixels * outputs * output_height * output_width;
        bottom[q] = select(is_inside, pixel / width + comptime!(window.padding), OUTSIDE);
        right[q] = pixel % width + comptime!(window.padding);
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
                if k < depth && row < inputs {
                    value = F::cast_from(weight[(k / taps * inputs + row) * taps + k % taps]);
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
                // Above and left of the output, these wrap around to numbers that are too large.
                let down = bottom[q] - tap / comptime!(window.kernel);
                let across = right[q] - tap % comptime!(window.kernel);
                let y = down / comptime!(window.stride);
                let x = across / comptime!(window.stride);
                let mut is_inside = channel < outputs && y < output_height && x < output_width;
                if comptime!(window.stride > 1) {
                    is_inside = is_inside
                        && down % comptime!(window.stride) == 0
                        && across % comptime!(window.stride) == 0;
                }
                let mut value = F::new(0.0);
                if is_inside {
                    value = F::cast_from(
                        gradient[image[q] + (channel * output_height + y) * output_width + x],
                    );
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

    let places = places_of(first_column, columns, pixels, inputs, tile);
    #[unroll]
    for i in 0..comptime!(tile.thread_rows) {
        let row = first_row + row_of(i, tile);
        if row < inputs {
            #[unroll]
            for j in 0..comptime!(tile.thread_columns) {
                if places[j] < OUTSIDE {
                    let place = places[j] + row * pixels;
                    let sum = sum_of(&sums, i, j, tile);
                    #[comptime]
                    let value = match &gate {
                        ComptimeOption::Some(gate) => {
                            select(f32::cast_from(gate[place]) > 0.0, sum, 0.0)
                        }
                        ComptimeOption::None => sum,
                    };
                    output[place] = I::cast_from(value);
                }
            }
        }
    }
}
