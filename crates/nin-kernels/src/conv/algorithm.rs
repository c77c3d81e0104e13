//! Which algorithm computes a convolution.

use crate::arch::generic::winograd::{F43, F45, OUT, Scheme};
use crate::geometry::ConvGeometry;

/// What may be chosen from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Tiles of bf16 where those are to be had, else the one that the cost model finds faster.
    #[default]
    Auto,
    /// The direct algorithm everywhere.
    Direct,
    /// Winograd's wherever it applies (3x3 and 5x5 kernels of stride one over panels), even where it is slower.
    Winograd,
}

/// What was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Direct,
    /// F(4x4, 3x3).
    F43,
    /// F(4x4, 5x5).
    F45,
}

/// Multiply-accumulates' worth of time that a value takes on its way into the transformed domain and out of it, for each
/// of a tile's points: an add or two along both axes, a load and a store.
const TRANSFORM: u64 = 14;

/// The same for a weight, which is gathered value by value.
const WEIGHT_TRANSFORM: u64 = 24;

/// The choice depends on the sizes alone, never on the threads or the instruction set.
pub(crate) fn by_cost(algorithm: Algorithm, geometry: &ConvGeometry) -> Choice {
    let (choice, tile) = match (geometry.kernel, geometry.stride) {
        ([3, 3], [1, 1]) => (Choice::F43, F43::TILE as u64),
        ([5, 5], [1, 1]) => (Choice::F45, F45::TILE as u64),
        _ => return Choice::Direct,
    };
    let (inputs, outputs) = (16 * geometry.in_panels() as u64, 16 * geometry.out_panels() as u64);
    let [down, across] = geometry.output.map(|size| size.div_ceil(OUT));
    let tiles = (geometry.batch * down * across) as u64;
    let taps = (geometry.kernel[0] * geometry.kernel[1]) as u64;
    let direct = (geometry.batch * geometry.out_pixels()) as u64 * taps * inputs * outputs;
    let products = tiles * (inputs * outputs + TRANSFORM * (inputs + outputs));
    let winograd = tile * tile * (products + WEIGHT_TRANSFORM * inputs * outputs);
    match algorithm {
        Algorithm::Winograd => choice,
        Algorithm::Auto if winograd < direct => choice,
        _ => Choice::Direct,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_layers() {
        let choice = |batch, channels, size, kernel: usize, stride| {
            let padding = [kernel / 2; 2];
            let geometry =
                ConvGeometry::new(batch, channels, [size; 2], [kernel; 2], [stride; 2], padding)
                    .unwrap();
            by_cost(Algorithm::Auto, &geometry)
        };
        assert_eq!(choice(32, [96, 256], 26, 5, 1), Choice::F45);
        assert_eq!(choice(32, [256, 384], 12, 3, 1), Choice::F43);
        assert_eq!(choice(32, [256, 384], 12, 3, 2), Choice::Direct);
        assert_eq!(choice(32, [256, 384], 12, 1, 1), Choice::Direct);
        // Ten classes: too few to pay for the transforms of 384 channels.
        assert_eq!(choice(32, [384, 10], 5, 3, 1), Choice::Direct);
        // One small image: the weights' transform would cost more than it saves.
        assert_eq!(choice(1, [256, 384], 4, 3, 1), Choice::Direct);
    }
}
