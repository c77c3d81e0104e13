//! How a product of matrices is divided among workgroups and threads.
//!
//! A workgroup computes `rows x columns` sums. In steps of `depth`, its threads copy a tile of each factor to workgroup
//! memory; then each thread adds the products of `thread_rows x thread_columns` sums, which it keeps in registers.
//!
//! Tiles come from a table by shape, not from measurements at run time, so that results do not depend on a clock.

use crate::ConvGeometry;

/// Values in a vector of workgroup memory.
pub(crate) const QUAD: usize = 4;

/// The workgroup memory that every WebGPU adapter has, in bytes.
pub(crate) const WORKGROUP_MEMORY: usize = 16_384;

/// The threads of a workgroup that every WebGPU adapter has.
pub(crate) const WORKGROUP_THREADS: usize = 256;

/// The sizes of a workgroup's and of a thread's part of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Rows of a workgroup.
    pub rows: usize,
    /// Columns of a workgroup.
    pub columns: usize,
    /// Products per sum between two barriers.
    pub depth: usize,
    /// Rows of a thread.
    pub thread_rows: usize,
    /// Columns of a thread.
    pub thread_columns: usize,
}

impl Tile {
    const fn new(
        [rows, columns, depth]: [usize; 3],
        [thread_rows, thread_columns]: [usize; 2],
    ) -> Self {
        Self { rows, columns, depth, thread_rows, thread_columns }
    }

    /// Returns the number of threads of a workgroup.
    pub fn threads(self) -> usize {
        (self.rows / self.thread_rows) * (self.columns / self.thread_columns)
    }

    /// Returns whether kernels can use the tile on every adapter: whole vectors for each thread, in 16 KiB.
    pub fn is_valid(self) -> bool {
        let Self { rows, columns, depth, thread_rows, thread_columns } = self;
        let divides =
            |part: usize, whole: usize| part > 0 && whole > 0 && whole.is_multiple_of(part);
        divides(QUAD, thread_rows)
            && divides(QUAD, thread_columns)
            && divides(thread_rows, rows)
            && divides(thread_columns, columns)
            && self.threads() <= WORKGROUP_THREADS
            // Each thread copies the same number of vectors, always of the same column or the same depth.
            && divides(self.threads(), depth * rows / QUAD)
            && divides(self.threads(), depth * columns / QUAD)
            && divides(rows / QUAD, self.threads())
            && divides(columns / QUAD, self.threads())
            && divides(depth, self.threads())
            && self.workgroup_memory() <= WORKGROUP_MEMORY
    }

    /// Returns the values that a workgroup reads for a product of each of its sums: each thread from workgroup memory, and all together from
    /// buffers.
    fn reads(self) -> f64 {
        let per_product = |rows: usize, columns: usize| 1.0 / rows as f64 + 1.0 / columns as f64;
        let by_threads = per_product(self.thread_rows, self.thread_columns);
        let from_buffers = per_product(self.rows, self.columns);
        (self.rows * self.columns) as f64 * (by_threads + READS_OF_BUFFER * from_buffers)
    }

    /// Returns the bytes of workgroup memory: both tiles, each with a vector of padding per step of depth.
    pub fn workgroup_memory(self) -> usize {
        self.depth * ((self.rows + self.columns) / QUAD + 2) * QUAD * size_of::<f32>()
    }
}

/// The values of workgroup memory that are read in the time of one of a buffer.
const READS_OF_BUFFER: f64 = 4.0;

/// Which of the three products of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pass {
    /// Outputs by pixels.
    Forward,
    /// Inputs by pixels.
    InputGradient,
    /// Outputs by weights of an output; the sum is over pixels.
    WeightGradient,
}

impl Pass {
    /// Every pass.
    pub const ALL: [Self; 3] = [Self::Forward, Self::InputGradient, Self::WeightGradient];

    /// Returns rows, columns and depth of the product of a convolution.
    pub fn product(self, geometry: &ConvGeometry) -> [usize; 3] {
        let ConvGeometry { batch, inputs, outputs, window, .. } = *geometry;
        let taps = window.taps();
        match self {
            Self::Forward => [outputs, batch * geometry.output_pixels(), inputs * taps],
            Self::InputGradient => [inputs, batch * geometry.input_pixels(), outputs * taps],
            Self::WeightGradient => [outputs, inputs * taps, batch * geometry.output_pixels()],
        }
    }
}

/// The tiles that kernels choose from, and others to measure on a new GPU; all of them for every adapter.
pub const TILES: [Tile; 12] = [
    WIDE,
    Tile::new([128, 64, 8], [8, 8]),
    TALL,
    FLAT,
    SMALL,
    TINY,
    Tile::new([128, 128, 8], [16, 8]),
    Tile::new([128, 64, 16], [8, 4]),
    Tile::new([64, 128, 16], [8, 8]),
    Tile::new([64, 64, 16], [8, 8]),
    Tile::new([64, 64, 16], [4, 4]),
    Tile::new([96, 96, 12], [8, 8]),
];

const WIDE: Tile = Tile::new([128, 128, 8], [8, 8]);
const TALL: Tile = Tile::new([64, 128, 8], [8, 8]);
const FLAT: Tile = Tile::new([32, 128, 8], [8, 8]);
const SMALL: Tile = Tile::new([64, 64, 8], [8, 4]);
const TINY: Tile = Tile::new([32, 32, 16], [4, 4]);

/// Enough workgroups to fill the GPU of a laptop: its multiprocessors, about twice.
const WORKGROUPS: usize = 64;
/// Enough workgroups for the parts of a weight gradient, which cost little: those of a large GPU, a few times.
const WORKGROUPS_OF_PARTS: usize = 512;
/// The shortest sum that a workgroup of the weight gradient takes.
const SHORTEST_SUM: usize = 256;
/// The largest buffer of partial sums, in values: 64 MiB.
const PARTIAL_LEN: usize = 1 << 24;

/// Returns the tile of a pass as a single product.
pub(crate) fn tile(pass: Pass, geometry: &ConvGeometry) -> Tile {
    let [rows, columns, _] = pass.product(geometry);
    match pass {
        Pass::Forward | Pass::InputGradient => {
            fitting([rows, columns], &[WIDE, TALL, FLAT, SMALL, TINY], 1)
        }
        // It fills the GPU by the parts of its sums.
        Pass::WeightGradient => fitting([rows, columns], &[WIDE, TALL, SMALL, TINY], WORKGROUPS),
    }
}

/// Returns the tile of `count` products, one for each point.
pub(crate) fn tile_of_points(size: [usize; 2], count: usize) -> Tile {
    fitting(size, &[WIDE, TALL, FLAT, SMALL, TINY], count)
}

/// Returns the tile of the table that reads least memory for `count` products, whose workgroups fill a GPU: of as many
/// workgroups at least as that takes, since a part of the GPU that has none does not help the others. Of equals, the first.
fn fitting([rows, columns]: [usize; 2], table: &[Tile], count: usize) -> Tile {
    let cost = |tile: &&Tile| {
        let workgroups = count * rows.div_ceil(tile.rows) * columns.div_ceil(tile.columns);
        workgroups.max(WORKGROUPS) as f64 * tile.reads()
    };
    table.iter().min_by(|one, other| cost(one).total_cmp(&cost(other))).copied().unwrap_or(TINY)
}

/// Returns into how many parts the sum of a weight gradient is divided.
pub(crate) fn parts(geometry: &ConvGeometry, tile: Tile) -> usize {
    let [rows, columns, sum] = Pass::WeightGradient.product(geometry);
    let tiles = rows.div_ceil(tile.rows) * columns.div_ceil(tile.columns);
    let wanted = WORKGROUPS_OF_PARTS.div_ceil(tiles);
    wanted.min(sum.div_ceil(SHORTEST_SUM)).min(PARTIAL_LEN / (rows * (columns + 1))).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Window;

    #[test]
    fn tiles_of_the_books_network_follow_the_number_of_channels_and_pixels() {
        let one = Window { kernel: 1, stride: 1, padding: 0 };
        let of = |channels, side| {
            tile(Pass::Forward, &ConvGeometry::new(128, [96, channels], [side; 2], one).unwrap())
        };
        assert_eq!(of(256, 26), WIDE);
        assert_eq!(of(384, 12), WIDE);
        // 96 rows are three tiles of 32; 10 rows fill a third of one.
        assert_eq!(of(96, 54), FLAT);
        assert_eq!(of(10, 5), TINY);
    }

    #[test]
    fn every_tile_is_for_every_adapter() {
        for tile in TILES {
            assert!(tile.is_valid(), "{tile:?}");
        }
        // 64 KiB, no whole vector for each thread, 1,024 threads.
        for [rows, columns, depth, thread_rows, thread_columns] in
            [[256, 256, 32, 16, 16], [32, 128, 8, 4, 8], [128, 128, 8, 4, 4]]
        {
            let tile = Tile::new([rows, columns, depth], [thread_rows, thread_columns]);
            assert!(!tile.is_valid(), "{tile:?}");
        }
    }
}
