//! The sizes of F(4x4, RxR), and the constants of its transforms.

use crate::panels::PANEL;

/// Outputs of a tile along each axis.
pub(crate) const OUT: usize = 4;

/// The largest number of pairs of points.
pub(super) const MOST_PAIRS: usize = 3;

/// Inputs of the largest tile along each axis.
pub(crate) const LARGEST_TILE: usize = 2 * MOST_PAIRS + 2;

/// The size of the largest kernel.
pub(crate) const LARGEST_KERNEL: usize = LARGEST_TILE + 1 - OUT;

/// Tiles of one image along each axis, `[down, across]`.
pub(crate) type Tiles = [usize; 2];

/// Returns the span of the tiles of a panel in the transformed domain, from the first to the last value.
pub(super) fn transformed_len<S: Scheme>([down, across]: Tiles, stride: usize) -> usize {
    (S::TILE * S::TILE - 1) * stride + down * across * PANEL
}

/// F(4x4, RxR), defined by its points.
pub(crate) trait Scheme: Copy + Send + Sync + 'static {
    /// The number of pairs of points.
    const PAIRS: usize;
    /// The positive point of each pair; unused entries are zero.
    const POINTS: [f64; MOST_PAIRS];

    /// The size of the kernel.
    const KERNEL: usize = Self::TILE + 1 - OUT;
    /// Inputs of a tile along each axis.
    const TILE: usize = 2 * Self::PAIRS + 2;
    /// The constants of the transforms, which follow from the points.
    const TABLE: Table = Table::new(Self::PAIRS, Self::POINTS);
}

/// F(4x4, 3x3).
#[derive(Debug, Clone, Copy)]
pub(crate) struct F43;

impl Scheme for F43 {
    const PAIRS: usize = 2;
    const POINTS: [f64; MOST_PAIRS] = [1.0, 2.0, 0.0];
}

/// F(4x4, 5x5).
#[derive(Debug, Clone, Copy)]
pub(crate) struct F45;

impl Scheme for F45 {
    const PAIRS: usize = 3;
    const POINTS: [f64; MOST_PAIRS] = [1.0, 2.0, 0.5];
}

/// The constants of the transforms.
#[derive(Debug)]
pub(crate) struct Table {
    /// `power[pair][k] = p^k`.
    pub(super) power: [[f32; LARGEST_TILE]; MOST_PAIRS],
    /// Coefficients in `x^2` of the product of `x^2 - q^2` over all pairs.
    pub(super) all: [f32; MOST_PAIRS + 1],
    /// The same product without one pair.
    pub(super) without: [[f32; MOST_PAIRS]; MOST_PAIRS],
    /// The reciprocal of the product of differences to all other points; the last entry is for the point zero.
    pub(super) norm: [f32; MOST_PAIRS + 1],
}

impl Table {
    const fn new(pairs: usize, points: [f64; MOST_PAIRS]) -> Self {
        let mut table = Self {
            power: [[0.0; LARGEST_TILE]; MOST_PAIRS],
            all: [0.0; MOST_PAIRS + 1],
            without: [[0.0; MOST_PAIRS]; MOST_PAIRS],
            norm: [0.0; MOST_PAIRS + 1],
        };
        let all = product(pairs, points, MOST_PAIRS);
        let mut k = 0;
        while k <= pairs {
            table.all[k] = all[k] as f32;
            k += 1;
        }
        table.norm[MOST_PAIRS] = (1.0 / all[0]) as f32;
        let mut pair = 0;
        while pair < pairs {
            let without = product(pairs, points, pair);
            let square = points[pair] * points[pair];
            let (mut power, mut value, mut square_power) = (1.0, 0.0, 1.0);
            k = 0;
            while k < LARGEST_TILE {
                table.power[pair][k] = power as f32;
                power *= points[pair];
                k += 1;
            }
            k = 0;
            while k < pairs {
                table.without[pair][k] = without[k] as f32;
                value += without[k] * square_power;
                square_power *= square;
                k += 1;
            }
            table.norm[pair] = (1.0 / (2.0 * square * value)) as f32;
            pair += 1;
        }
        table
    }
}

/// Returns the coefficients in `x^2` of the product of `x^2 - q^2` over all pairs but one.
const fn product(
    pairs: usize,
    points: [f64; MOST_PAIRS],
    left_out: usize,
) -> [f64; MOST_PAIRS + 1] {
    let mut coefficients = [0.0; MOST_PAIRS + 1];
    coefficients[0] = 1.0;
    let mut pair = 0;
    while pair < pairs {
        if pair != left_out {
            let square = points[pair] * points[pair];
            let mut k = MOST_PAIRS;
            while k > 0 {
                coefficients[k] = coefficients[k - 1] - square * coefficients[k];
                k -= 1;
            }
            coefficients[0] *= -square;
        }
        pair += 1;
    }
    coefficients
}
