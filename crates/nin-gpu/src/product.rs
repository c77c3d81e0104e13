//! The inner part of every product: tiles in workgroup memory, sums in registers.
//!
//! A tile is stored as `[depth][row]`, in vectors of four rows that are a quarter of the tile apart: vector `at` holds the
//! rows `at`, `at + rows / 4`, `at + rows / 2` and `at + 3 * rows / 4`. So the threads of a workgroup read and write
//! neighbouring values of a buffer together, and still read whole vectors of workgroup memory.

use cubecl::prelude::*;

use crate::tile::{QUAD, Tile};

/// A row or column of pixels that is outside of every input, even with an offset of a window added.
pub(crate) const OUTSIDE: usize = 1 << 31;

/// Four sums.
pub(crate) type Quad = Vector<f32, Const<4>>;

/// Four factors of a product.
pub(crate) type Factors<F> = Vector<F, Const<4>>;

/// How the threads of a workgroup copy a tile of one factor to workgroup memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Copying {
    depth: usize,
    /// Vectors per step of depth.
    quads: usize,
    threads: usize,
    /// Neighbouring threads copy neighbouring depths of a row; otherwise neighbouring rows of a depth.
    along_depth: bool,
}

impl Copying {
    pub(crate) fn rows(tile: Tile, along_depth: bool) -> Self {
        Self { depth: tile.depth, quads: tile.rows / QUAD, threads: tile.threads(), along_depth }
    }

    pub(crate) fn columns(tile: Tile, along_depth: bool) -> Self {
        Self { depth: tile.depth, quads: tile.columns / QUAD, threads: tile.threads(), along_depth }
    }

    /// Returns how many vectors each thread copies.
    pub(crate) fn count(self) -> usize {
        self.depth * self.quads / self.threads
    }

    /// Returns the length of the tile in workgroup memory, in vectors.
    pub(crate) fn len(self) -> usize {
        self.depth * self.stride()
    }

    /// Returns the distance of two depths. One vector of padding, so that threads along the depth write to different banks.
    pub(crate) fn stride(self) -> usize {
        self.quads + 1
    }

    /// Returns the difference of depth between two vectors of a thread.
    fn depth_step(self) -> usize {
        if self.along_depth { 0 } else { self.threads / self.quads }
    }

    /// Returns the difference of place between two vectors of a thread.
    fn quad_step(self) -> usize {
        if self.along_depth { self.threads / self.depth } else { 0 }
    }
}

/// Returns the depth of a thread's vector.
#[cube]
pub(crate) fn depth_of(#[comptime] at: usize, #[comptime] copying: Copying) -> usize {
    let thread = UNIT_POS as usize;
    let first = if comptime!(copying.along_depth) {
        thread % comptime!(copying.depth)
    } else {
        thread / comptime!(copying.quads)
    };
    first + comptime!(at * copying.depth_step())
}

/// Returns the place of a thread's vector within its depth.
#[cube]
pub(crate) fn quad_of(#[comptime] at: usize, #[comptime] copying: Copying) -> usize {
    let thread = UNIT_POS as usize;
    let first = if comptime!(copying.along_depth) {
        thread / comptime!(copying.depth)
    } else {
        thread % comptime!(copying.quads)
    };
    first + comptime!(at * copying.quad_step())
}

/// Writes the vectors of this thread to workgroup memory.
#[cube]
pub(crate) fn store<F: Float>(
    quads: &Array<Factors<F>>,
    stored: &mut SharedMemory<Factors<F>>,
    #[comptime] copying: Copying,
) {
    #[unroll]
    for at in 0..comptime!(copying.count()) {
        let place = depth_of(at, copying) * comptime!(copying.stride()) + quad_of(at, copying);
        stored[place] = quads[at];
    }
}

/// Returns sums of zero.
#[cube]
pub(crate) fn no_sums(#[comptime] tile: Tile) -> Array<Quad> {
    let count = comptime!(tile.thread_rows * tile.thread_columns / QUAD);
    let mut sums = Array::<Quad>::new(count);
    #[unroll]
    for at in 0..count {
        sums[at] = Quad::new(0.0);
    }
    sums
}

/// Adds the products of the tiles in workgroup memory. Factors of another type are converted to 32-bit floats first.
#[cube]
pub(crate) fn multiply<F: Float>(
    rows: &SharedMemory<Factors<F>>,
    columns: &SharedMemory<Factors<F>>,
    sums: &mut Array<Quad>,
    #[comptime] tile: Tile,
) {
    let across = comptime!(tile.columns / tile.thread_columns);
    let down = comptime!(tile.rows / tile.thread_rows);
    let row_quads = comptime!(tile.thread_rows / QUAD);
    let column_quads = comptime!(tile.thread_columns / QUAD);
    let row_stride = comptime!(tile.rows / QUAD + 1);
    let column_stride = comptime!(tile.columns / QUAD + 1);
    let row = UNIT_POS as usize / across;
    let column = UNIT_POS as usize % across;
    for depth in 0..comptime!(tile.depth) {
        let mut right = Array::<Quad>::new(column_quads);
        #[unroll]
        for j in 0..column_quads {
            let quad = columns[depth * column_stride + column + comptime!(j * across)];
            right[j] = Quad::cast_from(quad);
        }
        #[unroll]
        for i in 0..row_quads {
            let left = Quad::cast_from(rows[depth * row_stride + row + comptime!(i * down)]);
            #[unroll]
            for q in 0..comptime!(QUAD) {
                let factor = Quad::cast_from(left[q]);
                #[unroll]
                for j in 0..column_quads {
                    let at = comptime!((i * QUAD + q) * column_quads + j);
                    sums[at] = fma(factor, right[j], sums[at]);
                }
            }
        }
    }
}

/// Returns the row of a thread's sum within the tile.
#[cube]
pub(crate) fn row_of(#[comptime] at: usize, #[comptime] tile: Tile) -> usize {
    let across = comptime!(tile.columns / tile.thread_columns);
    let down = comptime!(tile.rows / tile.thread_rows);
    UNIT_POS as usize / across + comptime!((at / QUAD) * down + (at % QUAD) * tile.rows / QUAD)
}

/// Returns the column of a thread's sum within the tile.
#[cube]
pub(crate) fn column_of(#[comptime] at: usize, #[comptime] tile: Tile) -> usize {
    let across = comptime!(tile.columns / tile.thread_columns);
    UNIT_POS as usize % across + comptime!((at / QUAD) * across + (at % QUAD) * tile.columns / QUAD)
}

/// Returns the place of each column of a thread's sums in `[batch, channels, pixels]`, in the first channel; [`OUTSIDE`] for those
/// beyond the last column. Columns are the pixels of the whole batch.
#[cube]
pub(crate) fn places_of(
    first_column: usize,
    columns: usize,
    pixels: usize,
    channels: usize,
    #[comptime] tile: Tile,
) -> Array<usize> {
    let mut places = Array::<usize>::new(comptime!(tile.thread_columns));
    #[unroll]
    for j in 0..comptime!(tile.thread_columns) {
        let column = first_column + column_of(j, tile);
        let place = column / pixels * channels * pixels + column % pixels;
        places[j] = select(column < columns, place, OUTSIDE);
    }
    places
}

/// Returns the sum of a row and a column of this thread.
#[cube]
pub(crate) fn sum_of(
    sums: &Array<Quad>,
    #[comptime] row: usize,
    #[comptime] column: usize,
    #[comptime] tile: Tile,
) -> f32 {
    let column_quads = comptime!(tile.thread_columns / QUAD);
    let quad = sums[comptime!(row * column_quads + column / QUAD)];
    quad[comptime!(column % QUAD)]
}
