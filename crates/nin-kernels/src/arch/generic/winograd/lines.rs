//! The six transforms of one line: a row or a column of a tile.

use super::scheme::{LARGEST_TILE, MOST_PAIRS, OUT, Scheme};
use crate::arch::Vector;

/// A row or a column of a tile.
pub(super) type Line<V> = [V; LARGEST_TILE];

/// Returns the sum of `coefficients[k] * values[first + 2 k]` over the first `terms`, where the last coefficient is one.
#[inline(always)]
unsafe fn every_other<V: Vector>(
    values: &Line<V>,
    first: usize,
    coefficients: &[f32],
    terms: usize,
) -> V {
    let mut sum = values[first + 2 * (terms - 1)];
    for k in (0..terms - 1).rev() {
        // SAFETY: the caller's CPU has the instruction set, here and in all transforms below.
        sum = unsafe { values[first + 2 * k].mul_add(V::splat(coefficients[k]), sum) };
    }
    sum
}

/// `Bt`: transforms an input tile. The order of points is 0, +p, -p, +q, -q, ..., infinity.
#[inline(always)]
pub(super) unsafe fn input<S: Scheme, V: Vector>(d: &Line<V>) -> Line<V> {
    // SAFETY: as the caller's.
    unsafe {
        let table = &S::TABLE;
        let mut v = [V::splat(0.0); LARGEST_TILE];
        v[0] = every_other(d, 0, &table.all, S::PAIRS + 1);
        v[S::TILE - 1] = every_other(d, 1, &table.all, S::PAIRS + 1);
        for pair in 0..S::PAIRS {
            let even = every_other(d, 2, &table.without[pair], S::PAIRS);
            let odd = every_other(d, 1, &table.without[pair], S::PAIRS)
                .mul(V::splat(table.power[pair][1]));
            v[2 * pair + 1] = even.add(odd);
            v[2 * pair + 2] = even.sub(odd);
        }
        v
    }
}

/// `B`, the adjoint of [`input`].
#[inline(always)]
pub(super) unsafe fn input_adjoint<S: Scheme, V: Vector>(v: &Line<V>) -> Line<V> {
    // SAFETY: as the caller's.
    unsafe {
        let table = &S::TABLE;
        let mut d = [V::splat(0.0); LARGEST_TILE];
        for k in 0..=S::PAIRS {
            d[2 * k] = v[0].mul(V::splat(table.all[k]));
            d[2 * k + 1] = v[S::TILE - 1].mul(V::splat(table.all[k]));
        }
        for pair in 0..S::PAIRS {
            let sum = v[2 * pair + 1].add(v[2 * pair + 2]);
            let difference =
                v[2 * pair + 1].sub(v[2 * pair + 2]).mul(V::splat(table.power[pair][1]));
            for k in 0..S::PAIRS {
                let coefficient = V::splat(table.without[pair][k]);
                d[2 * k + 2] = sum.mul_add(coefficient, d[2 * k + 2]);
                d[2 * k + 1] = difference.mul_add(coefficient, d[2 * k + 1]);
            }
        }
        d
    }
}

/// `At`: transforms products back into four outputs.
#[inline(always)]
pub(super) unsafe fn output<S: Scheme, V: Vector>(m: &Line<V>) -> Line<V> {
    // SAFETY: as the caller's.
    unsafe {
        let mut y = [V::splat(0.0); LARGEST_TILE];
        y[0] = m[0];
        y[OUT - 1] = m[S::TILE - 1];
        for pair in 0..S::PAIRS {
            let sum = m[2 * pair + 1].add(m[2 * pair + 2]);
            let difference = m[2 * pair + 1].sub(m[2 * pair + 2]);
            let power = &S::TABLE.power[pair];
            y[0] = y[0].add(sum);
            y[1] = difference.mul_add(V::splat(power[1]), y[1]);
            y[2] = sum.mul_add(V::splat(power[2]), y[2]);
            y[3] = difference.mul_add(V::splat(power[3]), y[3]);
        }
        y
    }
}

/// `A`, the adjoint of [`output`].
#[inline(always)]
pub(super) unsafe fn output_adjoint<S: Scheme, V: Vector>(y: &Line<V>) -> Line<V> {
    // SAFETY: as the caller's.
    unsafe {
        let mut m = [V::splat(0.0); LARGEST_TILE];
        m[0] = y[0];
        m[S::TILE - 1] = y[OUT - 1];
        for pair in 0..S::PAIRS {
            let power = &S::TABLE.power[pair];
            let even = y[2].mul_add(V::splat(power[2]), y[0]);
            let odd = y[3].mul(V::splat(power[3])).add(y[1].mul(V::splat(power[1])));
            m[2 * pair + 1] = even.add(odd);
            m[2 * pair + 2] = even.sub(odd);
        }
        m
    }
}

/// `G`: transforms a kernel.
#[inline(always)]
pub(super) unsafe fn kernel<S: Scheme, V: Vector>(g: &Line<V>) -> Line<V> {
    // SAFETY: as the caller's.
    unsafe {
        let table = &S::TABLE;
        let mut u = [V::splat(0.0); LARGEST_TILE];
        u[0] = g[0].mul(V::splat(table.norm[MOST_PAIRS]));
        u[S::TILE - 1] = g[S::KERNEL - 1];
        for pair in 0..S::PAIRS {
            let (mut even, mut odd) = (V::splat(0.0), V::splat(0.0));
            for k in 0..S::KERNEL {
                let term = V::splat(table.power[pair][k] * table.norm[pair]);
                if k % 2 == 0 {
                    even = g[k].mul_add(term, even);
                } else {
                    odd = g[k].mul_add(term, odd);
                }
            }
            u[2 * pair + 1] = even.add(odd);
            u[2 * pair + 2] = even.sub(odd);
        }
        u
    }
}

/// `Gt`, the adjoint of [`kernel`].
#[inline(always)]
pub(super) unsafe fn kernel_adjoint<S: Scheme, V: Vector>(u: &Line<V>) -> Line<V> {
    // SAFETY: as the caller's.
    unsafe {
        let table = &S::TABLE;
        let mut g = [V::splat(0.0); LARGEST_TILE];
        g[0] = u[0].mul(V::splat(table.norm[MOST_PAIRS]));
        g[S::KERNEL - 1] = u[S::TILE - 1];
        for pair in 0..S::PAIRS {
            let sum = u[2 * pair + 1].add(u[2 * pair + 2]);
            let difference = u[2 * pair + 1].sub(u[2 * pair + 2]);
            for k in 0..S::KERNEL {
                let term = V::splat(table.power[pair][k] * table.norm[pair]);
                let part = if k % 2 == 0 { sum } else { difference };
                g[k] = part.mul_add(term, g[k]);
            }
        }
        g
    }
}
