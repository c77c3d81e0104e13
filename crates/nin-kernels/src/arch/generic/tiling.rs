//! How sizes are cut into tiles and blocks.

use super::Vector;
use crate::panels::PANEL;

/// Vectors that a tile is wide, wherever there are channels enough.
pub(crate) const TILE_VECTORS: usize = 2;

/// Rows that a tile is high: with [`TILE_VECTORS`] accumulators for each, the vectors of weights and one operand, they
/// fill 16 registers of 8 lanes (15 used), or 32 of 16 lanes (31 used).
pub(crate) const fn tile_rows<V: Vector>() -> usize {
    if V::LANES == 8 { 6 } else { 14 }
}

/// Channel panels that lie side by side in packed weights, given the lanes of a vector.
pub(crate) const fn panels_per_block(lanes: usize) -> usize {
    TILE_VECTORS * lanes / PANEL
}

/// `0..total` in the fewest parts of at most `most`, the sizes differing by at most one: a last part of one row would
/// run at a sixth of the rate.
#[derive(Debug, Clone)]
pub(crate) struct Balanced {
    next: usize,
    total: usize,
    parts: usize,
}

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

/// Calls `$function::<V, ROWS, N, ..>` with the rows as a constant.
macro_rules! with_constant_rows {
    ($lanes:expr, $rows:expr, |$constant:ident| $call:expr) => {
        if $lanes == 8 {
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
