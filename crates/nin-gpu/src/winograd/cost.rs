//! What a pass costs.

use super::plan::{Planes, Winograd};
use super::scheme::Matrix;
use crate::buffer::Lines;
use crate::cost::{Cost, bytes};
use crate::tile::Pass;

impl Winograd {
    /// Returns what the pass costs.
    pub(crate) fn cost(&self) -> Cost {
        let geometry = &self.geometry;
        let chunks = self.chunks().map(|(_, count)| self.chunk_cost(count));
        let kernels = geometry.inputs * geometry.outputs;
        let [weight, ..] = self.lens(1);
        let of_weights = match self.pass {
            Pass::Forward | Pass::InputGradient => {
                let lens = [geometry.weight_len(), weight];
                transform_cost(kernels, Matrix::Kernel(self.scheme), bytes(&lens))
            }
            Pass::WeightGradient => {
                let sums = geometry.weight_len() + geometry.outputs;
                let bytes = bytes(&[self.partial_len(), sums]);
                transform_cost(kernels, Matrix::KernelTransposed(self.scheme), bytes)
            }
        };
        chunks.sum::<Cost>() + of_weights
    }

    /// Returns what a chunk costs.
    fn chunk_cost(&self, images: usize) -> Cost {
        let (source, target, tiles) = (self.source(), self.target(), self.tiles_of(images));
        let bytes_of = |planes: Planes| {
            let len = images * planes.channels * planes.size[0] * planes.size[1];
            planes.element.bytes(len) as u64
        };
        let [weight, source_len, target_len] = self.lens(images);
        let points = self.scheme.points();
        let [across, down] = self.workgroups(images);
        let [_, _, depth] = self.product(images);
        let product_bytes = match self.pass {
            Pass::Forward | Pass::InputGradient => bytes(&[weight]),
            // Sums that go on from the chunk before.
            Pass::WeightGradient => 2 * bytes(&[self.partial_len()]),
        };
        let product = Cost {
            dispatches: 1,
            workgroups: (across * down * points * self.parts()) as u64,
            flops: self.geometry.flops() / self.geometry.batch as u64 * images as u64,
            executed_flops: 2
                * (across * self.tile.columns * down * self.tile.rows * points) as u64
                * depth.next_multiple_of(self.tile.depth) as u64,
            bytes: bytes(&[source_len, target_len]) + product_bytes,
        };
        let of_source = transform_cost(
            source.channels * tiles,
            Matrix::Input(self.scheme),
            bytes_of(source) + bytes(&[source_len]),
        );
        let (matrix, gate) = match self.pass {
            Pass::Forward => (Matrix::Output(self.scheme), 0),
            Pass::InputGradient => (Matrix::Output(self.scheme), bytes_of(target)),
            Pass::WeightGradient => (Matrix::OutputTransposed(self.scheme), 0),
        };
        let of_target = bytes_of(target) + bytes(&[target_len]) + gate;
        of_source + product + transform_cost(target.channels * tiles, matrix, of_target)
    }
}

/// Returns what a transform costs, with a thread for each tile.
fn transform_cost(tiles: usize, matrix: Matrix, bytes: u64) -> Cost {
    Cost {
        dispatches: 1,
        workgroups: tiles.div_ceil(Lines::THREADS) as u64,
        flops: 0,
        executed_flops: 2 * (tiles * matrix.products()) as u64,
        bytes,
    }
}
