//! Squares of a tile's values: read, transformed along both axes, written.

use super::scheme::LARGEST_TILE;
use super::{AHEAD, Square};
use crate::arch::generic::Vector;
use crate::panels::PANEL;

/// A square of `side` by `side`. `strides` are values from one row to the next and from one column to the next.
///
/// # Safety
/// Each of them can be read, and the caller has the instruction set.
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

/// The other way round.
///
/// # Safety
/// Each can be written, and the caller has the instruction set.
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

/// [`load`] of a tile in the transformed domain, `stride` values from one point to the next. With `ahead` the processor
/// fetches a later tile meanwhile.
///
/// # Safety
/// As [`load`]'s.
#[inline(always)]
pub(super) unsafe fn load_transformed<V: Vector>(
    from: *const f32,
    side: usize,
    stride: usize,
    ahead: bool,
) -> Square<V> {
    // SAFETY: as the caller's; a prefetch may be of any address.
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

/// A transform along both axes, from a square of `inputs` to one of `outputs`. A macro, because a closure cannot be told
/// to inline always.
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
