//! The cost model that chooses the algorithm of a convolution.

use super::format::Format;
use super::operands::Layout;
use crate::algorithm::Algorithm;
use crate::arch::generic::winograd::{F43, F45, OUT, Scheme};
use crate::context::Context;
use crate::geometry::ConvGeometry;

/// The algorithm of one convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The direct algorithm.
    Direct,
    /// Winograd's F(4x4, 3x3).
    F43,
    /// Winograd's F(4x4, 5x5).
    F45,
}

/// The cost of transforming a value into the transformed domain and back, for each point of a tile, in
/// multiply-accumulates: an addition or two along both axes, a load and a store.
const TRANSFORM: u64 = 14;

/// The same cost for a weight, which is gathered value by value.
const WEIGHT_TRANSFORM: u64 = 24;

/// The cost of reading a packed weight that was kept from an earlier call, from L3 or memory.
const WEIGHT_READ: u64 = 8;

/// What the weights of a convolution cost before they are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WeightCost {
    /// Each call packs or transforms them.
    Transform,
    /// Their packed form was kept.
    Read,
}

/// Chooses the algorithm of a convolution.
pub(crate) fn choose(
    context: &Context,
    geometry: &ConvGeometry,
    layout: Layout,
    cost: WeightCost,
) -> Choice {
    let has_tiles = matches!(Format::of(context, geometry, layout), Format::Tiles(_));
    // A matrix unit multiplies so much faster than vectors that no transform pays off.
    let prefers_tiles = has_tiles && context.algorithm != Algorithm::Winograd;
    if layout == Layout::Planes || prefers_tiles {
        return Choice::Direct;
    }
    by_cost(context.algorithm, geometry, cost)
}

/// Chooses by the sizes alone, never by the threads or the instruction set.
fn by_cost(algorithm: Algorithm, geometry: &ConvGeometry, cost: WeightCost) -> Choice {
    let (choice, tile) = match (geometry.kernel, geometry.stride) {
        ([3, 3], [1, 1]) => (Choice::F43, F43::TILE as u64),
        ([5, 5], [1, 1]) => (Choice::F45, F45::TILE as u64),
        _ => return Choice::Direct,
    };
    let (inputs, outputs) = (16 * geometry.in_panels() as u64, 16 * geometry.out_panels() as u64);
    let [down, across] = geometry.output.map(|size| size.div_ceil(OUT));
    let tiles = (geometry.batch * down * across) as u64;
    let taps = (geometry.kernel[0] * geometry.kernel[1]) as u64;
    let (transformed, packed) = match cost {
        WeightCost::Transform => (WEIGHT_TRANSFORM, 0),
        WeightCost::Read => (WEIGHT_READ, WEIGHT_READ),
    };
    let pixels = (geometry.batch * geometry.out_pixels()) as u64;
    let direct = taps * inputs * outputs * (pixels + packed);
    let products = tiles * (inputs * outputs + TRANSFORM * (inputs + outputs));
    let winograd = tile * tile * (products + transformed * inputs * outputs);
    match algorithm {
        Algorithm::Winograd => choice,
        Algorithm::Auto if winograd < direct => choice,
        _ => Choice::Direct,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(
        batch: usize,
        channels: [usize; 2],
        size: usize,
        [kernel, stride]: [usize; 2],
        cost: WeightCost,
    ) -> Choice {
        let padding = [kernel / 2; 2];
        let geometry =
            ConvGeometry::new(batch, channels, [size; 2], [kernel; 2], [stride; 2], padding);
        by_cost(Algorithm::Auto, &geometry.unwrap(), cost)
    }

    #[test]
    fn the_books_layers() {
        let choice = |batch, channels, size, conv| {
            choice(batch, channels, size, conv, WeightCost::Transform)
        };
        assert_eq!(choice(32, [96, 256], 26, [5, 1]), Choice::F45);
        assert_eq!(choice(32, [256, 384], 12, [3, 1]), Choice::F43);
        assert_eq!(choice(32, [256, 384], 12, [3, 2]), Choice::Direct);
        assert_eq!(choice(32, [256, 384], 12, [1, 1]), Choice::Direct);
        // Ten classes do not pay for the transforms of 384 channels.
        assert_eq!(choice(32, [384, 10], 5, [3, 1]), Choice::Direct);
        // For one small image the transform of the weights would cost more than it saves.
        assert_eq!(choice(1, [256, 384], 4, [3, 1]), Choice::Direct);
    }

    #[test]
    fn kept_weights_of_one_image() {
        let choice = |channels, size| choice(1, channels, size, [3, 1], WeightCost::Read);
        // The quick start's second and third block.
        assert_eq!(choice([32, 64], 14), Choice::F43);
        assert_eq!(choice([64, 64], 7), Choice::F43);
        // At 96x96, reading the transformed weights would take longer than the products that they save.
        assert_eq!(choice([256, 384], 4), Choice::Direct);
    }
}
