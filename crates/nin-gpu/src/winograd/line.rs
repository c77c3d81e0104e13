//! The transform of a tile along one axis, in registers.

use cubecl::prelude::*;

use super::scheme::Matrix;

/// Transforms the values at `from + k * from_step` into those at `to + k * to_step`.
#[cube]
pub(super) fn transform(
    values: &Array<f32>,
    #[comptime] from: usize,
    #[comptime] from_step: usize,
    results: &mut Array<f32>,
    #[comptime] to: usize,
    #[comptime] to_step: usize,
    #[comptime] matrix: Matrix,
) {
    #[unroll]
    for row in 0..comptime!(matrix.rows()) {
        let mut sum = 0.0f32;
        #[unroll]
        for column in 0..comptime!(matrix.columns()) {
            if comptime!(matrix.at(row, column) != 0.0) {
                let coefficient = comptime!(matrix.at(row, column)).runtime();
                sum += values[comptime!(from + column * from_step)] * coefficient;
            }
        }
        results[comptime!(to + row * to_step)] = sum;
    }
}
