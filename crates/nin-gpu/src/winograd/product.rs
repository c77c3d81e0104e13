//! The products at the points: as many products of matrices, in one dispatch.

use cubecl::prelude::*;

use crate::product::{
    Copying, OUTSIDE, Quad, column_of, depth_of, multiply, no_sums, quad_of, row_of, store, sum_of,
};
use crate::tile::{QUAD, Tile};

/// How the products are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// Factors are `[points][depth][rows]` and `[points][depth][columns]`.
    Images,
    /// Factors are `[points][rows][depth]` and `[points][columns][depth]`. At this point, the first is also summed
    /// over its depth.
    WeightGradient {
        /// The point.
        sums_at: usize,
    },
}

impl Form {
    /// Returns the point at which rows are summed; one that does not exist if there is none.
    fn sums_at(self) -> usize {
        match self {
            Self::Images => OUTSIDE,
            Self::WeightGradient { sums_at } => sums_at,
        }
    }
}

/// Computes `[parts][points][rows][columns]`, where each part has `part_depth` of the sum; then, for the weight gradient,
/// the sums of the first factor's rows, `[parts][rows]`. `adds` is one if they are added to what is there, else zero.
#[cube(launch)]
pub(super) fn multiply_points(
    left: &Array<f32>,
    right: &Array<f32>,
    products: &mut Array<f32>,
    rows: usize,
    columns: usize,
    depth: usize,
    part_depth: usize,
    adds: u32,
    #[comptime] points: usize,
    #[comptime] form: Form,
    #[comptime] tile: Tile,
) {
    let along_depth = comptime!(form != Form::Images);
    let along_rows = comptime!(Copying::rows(tile, along_depth));
    let along_columns = comptime!(Copying::columns(tile, along_depth));
    let first_column = CUBE_POS_X as usize * comptime!(tile.columns);
    let first_row = CUBE_POS_Y as usize * comptime!(tile.rows);
    let point = CUBE_POS_Z as usize % points;
    let part = CUBE_POS_Z as usize / points;
    let first_depth_of_part = part * part_depth;
    let end = min(depth, first_depth_of_part + part_depth);
    let left_first = point * rows * depth;
    let right_first = point * columns * depth;

    let mut rows_stored = SharedMemory::<Quad>::new(comptime!(along_rows.len()));
    let mut columns_stored = SharedMemory::<Quad>::new(comptime!(along_columns.len()));
    let mut rows_copied = Array::<Quad>::new(comptime!(along_rows.count()));
    let mut columns_copied = Array::<Quad>::new(comptime!(along_columns.count()));
    let mut sums = no_sums(tile);
    // The first workgroup of each row of workgroups also sums the rows.
    let sums_rows = point == comptime!(form.sums_at())
        && CUBE_POS_X == 0
        && (UNIT_POS as usize) < comptime!(tile.rows / QUAD);
    let mut row_sums = Quad::new(0.0);

    for step in 0..part_depth.div_ceil(comptime!(tile.depth)) {
        let first_depth = first_depth_of_part + step * comptime!(tile.depth);
        #[unroll]
        for at in 0..comptime!(along_rows.count()) {
            let k = first_depth + depth_of(at, along_rows);
            let row = first_row + quad_of(at, along_rows);
            let mut quad = Quad::empty();
            #[unroll]
            for q in 0..comptime!(QUAD) {
                let row = row + comptime!(q * tile.rows / QUAD);
                let mut value = 0.0f32;
                if k < end && row < rows {
                    let place = if along_depth { row * depth + k } else { k * rows + row };
                    value = left[left_first + place];
                }
                quad[q] = value;
            }
            rows_copied[at] = quad;
        }
        #[unroll]
        for at in 0..comptime!(along_columns.count()) {
            let k = first_depth + depth_of(at, along_columns);
            let column = first_column + quad_of(at, along_columns);
            let mut quad = Quad::empty();
            #[unroll]
            for q in 0..comptime!(QUAD) {
                let column = column + comptime!(q * tile.columns / QUAD);
                let mut value = 0.0f32;
                if k < end && column < columns {
                    let place = if along_depth { column * depth + k } else { k * columns + column };
                    value = right[right_first + place];
                }
                quad[q] = value;
            }
            columns_copied[at] = quad;
        }
        sync_cube();
        store(&rows_copied, &mut rows_stored, along_rows);
        store(&columns_copied, &mut columns_stored, along_columns);
        sync_cube();
        if comptime!(along_depth) {
            if sums_rows {
                for depth in 0..comptime!(tile.depth) {
                    row_sums +=
                        rows_stored[depth * comptime!(along_rows.stride()) + UNIT_POS as usize];
                }
            }
        }
        multiply(&rows_stored, &columns_stored, &mut sums, tile);
    }

    #[unroll]
    for i in 0..comptime!(tile.thread_rows) {
        let row = first_row + row_of(i, tile);
        if row < rows {
            let first = (CUBE_POS_Z as usize * rows + row) * columns;
            #[unroll]
            for j in 0..comptime!(tile.thread_columns) {
                let column = first_column + column_of(j, tile);
                if column < columns {
                    let mut sum = sum_of(&sums, i, j, tile);
                    if adds == 1 {
                        sum += products[first + column];
                    }
                    products[first + column] = sum;
                }
            }
        }
    }
    if comptime!(along_depth) {
        if sums_rows {
            #[unroll]
            for q in 0..comptime!(QUAD) {
                let row = first_row + UNIT_POS as usize + comptime!(q * tile.rows / QUAD);
                if row < rows {
                    let place = CUBE_COUNT_Z as usize * rows * columns + part * rows + row;
                    let mut sum = row_sums[q];
                    if adds == 1 {
                        sum += products[place];
                    }
                    products[place] = sum;
                }
            }
        }
    }
}
