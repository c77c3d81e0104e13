//! Two-dimensional tiles: loading, transforming along both axes, storing.

use super::scheme::LARGEST_TILE;
use crate::arch::Vector;
use crate::panels::PANEL;

/// The values of a tile.
pub(super) type Square<V> = [[V; LARGEST_TILE]; LARGEST_TILE];

/// How many tiles ahead to prefetch. The points of a tile are in as many streams, more than the hardware prefetcher
/// follows.
const AHEAD: usize = 2;

/// Loads a square of `side` by `side`, given the strides between rows and between columns.
///
/// # Safety
/// All of its values are readable, and the CPU has the instruction set.
#[inline(always)]
pub(super) unsafe fn load<V: Vector>(
    from: *const f32,
    side: usize,
    [down, across]: [usize; 2],
) -> Square<V> {
    // SAFETY: as the caller's.
    unsafe {
        let mut square = [[V::splat(0.0); LARGEST_TILE]; LARGEST_TILE];
        for y in 0..side {
            for x in 0..side {
                square[y][x] = V::load(from.add(y * down + x * across));
            }
        }
        square
    }
}

/// Stores a square, as [`load`] loads it.
///
/// # Safety
/// All of its values are writable, and the CPU has the instruction set.
#[inline(always)]
pub(super) unsafe fn store<V: Vector>(
    square: &Square<V>,
    to: *mut f32,
    side: usize,
    [down, across]: [usize; 2],
) {
    // SAFETY: as the caller's.
    unsafe {
        for y in 0..side {
            for x in 0..side {
                square[y][x].store(to.add(y * down + x * across));
            }
        }
    }
}

/// Loads a tile in the transformed domain, given the stride between points. With `ahead`, prefetches a later tile.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub(super) unsafe fn load_transformed<V: Vector>(
    from: *const f32,
    side: usize,
    stride: usize,
    ahead: bool,
) -> Square<V> {
    // SAFETY: the caller's promise; a prefetch may be of any address.
    unsafe {
        let square = load(from, side, [side * stride, stride]);
        if ahead {
            for point in 0..side * side {
                V::prefetch(from.wrapping_add(point * stride + AHEAD * PANEL));
            }
        }
        square
    }
}

/// Transforms a square of `inputs` into one of `outputs`, along both axes. A macro, because closures cannot be
/// `#[inline(always)]`.
macro_rules! both_axes {
    ($square:expr, $inputs:expr => $outputs:expr, $transform:expr) => {{
        let square: Square<V> = $square;
        let zero = V::splat(0.0);
        let mut half = [[zero; LARGEST_TILE]; LARGEST_TILE];
        for x in 0..$inputs {
            let mut column = [zero; LARGEST_TILE];
            for y in 0..$inputs {
                column[y] = square[y][x];
            }
            let column: Line<V> = $transform(&column);
            for y in 0..$outputs {
                half[y][x] = column[y];
            }
        }
        let mut full = [[zero; LARGEST_TILE]; LARGEST_TILE];
        for y in 0..$outputs {
            full[y] = $transform(&half[y]);
        }
        full
    }};
}

pub(super) use both_axes;
