//! Register tiles, and the division of sizes into blocks.

use crate::arch::Vector;
use crate::panels::PANEL;

/// Width of a tile in vectors, if there are enough channels: a panel of 4 or 8 lanes, or two panels of 16.
pub(crate) const fn tile_vectors(lanes: usize) -> usize {
    if lanes == 4 { 4 } else { 2 }
}

/// Height of a tile in rows. Each row has [`tile_vectors`] accumulators; with the vectors of weights and one operand that
/// makes 15 of 16 registers of 8 lanes, or 31 of 32 registers of 16 lanes.
///
/// Of 32 registers of 4 lanes, 24 are accumulators: four units with a latency of four cycles keep 16 busy. Each row also
/// has a register of four factors, for four depths, which leaves two for the weights.
///
/// Vectors of 4 lanes without factors by lane are those of WebAssembly, which browsers compile to 16 registers on x86-64:
/// 12 accumulators.
pub(crate) const fn tile_rows<V: Vector>() -> usize {
    match V::LANES {
        16 => 14,
        4 if !V::HAS_LANE_FACTORS => 3,
        _ => 6,
    }
}

/// Returns how many channel panels are interleaved in packed weights for vectors of `lanes`.
pub(crate) const fn panels_per_block(lanes: usize) -> usize {
    tile_vectors(lanes) * lanes / PANEL
}

/// `0..total` as the fewest parts of at most `most`, whose sizes differ by at most one: a last tile of one row would run
/// at a sixth of the rate.
#[derive(Debug, Clone)]
pub(crate) struct Balanced {
    next: usize,
    total: usize,
    parts: usize,
}

/// Divides `0..total` into [`Balanced`] parts, as pairs of start and size.
#[inline(always)]
pub(crate) fn balanced(total: usize, most: usize) -> Balanced {
    Balanced { next: 0, total, parts: total.div_ceil(most) }
}

impl Iterator for Balanced {
    type Item = (usize, usize);

    #[inline(always)]
    fn next(&mut self) -> Option<(usize, usize)> {
        if self.parts == 0 {
            return None;
        }
        let start = self.next;
        let size = (self.total - start).div_ceil(self.parts);
        self.next += size;
        self.parts -= 1;
        Some((start, size))
    }
}

/// Evaluates an expression with the number of rows as a constant.
macro_rules! with_constant_rows {
    ($lanes:expr, $rows:expr, |$constant:ident| $call:expr) => {
        if $lanes < 16 {
            $crate::arch::generic::tiling::with_constant_rows!(@match $rows, $constant, $call, 1 2 3 4 5 6)
        } else {
            $crate::arch::generic::tiling::with_constant_rows!(
                @match $rows, $constant, $call, 1 2 3 4 5 6 7 8 9 10 11 12 13 14
            )
        }
    };
    (@match $rows:expr, $constant:ident, $call:expr, $($literal:literal)*) => {
        match $rows {
            $($literal => { const $constant: usize = $literal; $call })*
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
}
pub(crate) use with_constant_rows;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_and_differ_by_one() {
        for total in 0..200 {
            for most in 1..15 {
                let parts: Vec<_> = balanced(total, most).collect();
                assert_eq!(parts.iter().map(|part| part.1).sum::<usize>(), total);
                assert_eq!(parts.len(), total.div_ceil(most));
                let sizes = parts.iter().map(|part| part.1);
                if let (Some(least), Some(largest)) = (sizes.clone().min(), sizes.max()) {
                    assert!(largest <= most && largest - least <= 1 && least > 0);
                }
            }
        }
    }
}
