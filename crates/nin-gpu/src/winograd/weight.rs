//! The transforms of weights, and of their gradient back.

use cubecl::prelude::*;

use super::line::transform;
use super::scheme::{Matrix, Scheme};

/// Transforms the weights to `[points][depth][rows]`. Rows are the outputs and depth the inputs; if it is `reversed`, for the gradient
/// of the input, rows are the inputs, depth the outputs, and kernels are rotated by half a turn.
#[cube(launch)]
pub(super) fn transform_weight(
    weight: &Array<f32>,
    at_points: &mut Array<f32>,
    depth: usize,
    rows: usize,
    #[comptime] reversed: bool,
    #[comptime] scheme: Scheme,
) {
    let (side, kernel) = comptime!((scheme.tile(), scheme.kernel()));
    let taps = comptime!(kernel * kernel);
    if ABSOLUTE_POS < depth * rows {
        let row = ABSOLUTE_POS % rows;
        let first = if comptime!(reversed) {
            ABSOLUTE_POS * taps
        } else {
            (row * depth + ABSOLUTE_POS / rows) * taps
        };
        let mut column = Array::<f32>::new(kernel);
        let mut half = Array::<f32>::new(comptime!(side * kernel));
        #[unroll]
        for j in 0..kernel {
            #[unroll]
            for i in 0..kernel {
                let tap = comptime!(i * kernel + j);
                column[i] = weight[first + comptime!(if reversed { taps - 1 - tap } else { tap })];
            }
            let matrix = comptime!(Matrix::Kernel(scheme));
            transform(&column, 0usize, 1usize, &mut half, j, kernel, matrix);
        }
        let mut line = Array::<f32>::new(side);
        #[unroll]
        for i in 0..side {
            let first = comptime!(i * kernel);
            transform(
                &half,
                first,
                1usize,
                &mut line,
                0usize,
                1usize,
                comptime!(Matrix::Kernel(scheme)),
            );
            #[unroll]
            for j in 0..side {
                at_points[comptime!(i * side + j) * depth * rows + ABSOLUTE_POS] = line[j];
            }
        }
    }
}

/// Adds the parts of the gradient at the points, `[parts][points][outputs * inputs]`, in their order, and transforms the sums into the
/// gradient of the weight. Also adds the parts of the gradient of the bias, `[parts][outputs]`, which follow.
#[cube(launch)]
pub(super) fn transform_weight_gradient(
    partial: &Array<f32>,
    of_weight: &mut Array<f32>,
    of_bias: &mut Array<f32>,
    parts: usize,
    kernels: usize,
    outputs: usize,
    #[comptime] scheme: Scheme,
) {
    let (side, kernel) = comptime!((scheme.tile(), scheme.kernel()));
    let points = comptime!(side * side);
    if ABSOLUTE_POS < kernels {
        let mut column = Array::<f32>::new(side);
        let mut half = Array::<f32>::new(comptime!(kernel * side));
        #[unroll]
        for j in 0..side {
            #[unroll]
            for i in 0..side {
                let first = comptime!(i * side + j) * kernels + ABSOLUTE_POS;
                let mut sum = 0.0f32;
                for part in 0..parts {
                    sum += partial[part * points * kernels + first];
                }
                column[i] = sum;
            }
            let matrix = comptime!(Matrix::KernelTransposed(scheme));
            transform(&column, 0usize, 1usize, &mut half, j, side, matrix);
        }
        let mut line = Array::<f32>::new(kernel);
        #[unroll]
        for i in 0..kernel {
            let first = comptime!(i * side);
            let matrix = comptime!(Matrix::KernelTransposed(scheme));
            transform(&half, first, 1usize, &mut line, 0usize, 1usize, matrix);
            #[unroll]
            for j in 0..kernel {
                of_weight[ABSOLUTE_POS * comptime!(kernel * kernel) + comptime!(i * kernel + j)] =
                    line[j];
            }
        }
    } else if ABSOLUTE_POS < kernels + outputs {
        let output = ABSOLUTE_POS - kernels;
        let mut sum = 0.0f32;
        for part in 0..parts {
            sum += partial[parts * points * kernels + part * outputs + output];
        }
        of_bias[output] = sum;
    }
}
