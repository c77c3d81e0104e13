//! Vectors of plain Rust. They run everywhere, and drive every tile shape of every instruction set in the tests.

use super::generic::{Bf16, Vector};
use crate::precision::{values, word};

/// As many lanes as AVX2.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Lanes<const N: usize>([f32; N]);

/// The shapes of AVX2.
pub(crate) type F32x8 = Lanes<8>;
/// The shapes of AVX-512.
pub(crate) type F32x16 = Lanes<16>;

impl<const N: usize> Lanes<N> {
    #[inline(always)]
    fn combine(self, other: Self, mut combine: impl FnMut(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| combine(self.0[lane], other.0[lane])))
    }
}

impl<const N: usize> Vector for Lanes<N> {
    const LANES: usize = N;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; N])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller gives `N` readable values; an array of them needs no more alignment than one.
        unsafe { Self(from.cast::<[f32; N]>().read()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller gives `N` writable values.
        unsafe { to.cast::<[f32; N]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.combine(other, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.combine(other, |a, b| a - b)
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.combine(other, |a, b| a * b)
    }

    // Not `f32::mul_add`: without the instruction that is a library call.
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: plain Rust.
        unsafe { self.mul(factor).add(sum) }
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        Self(self.0.map(|value| if value < 0.0 { 0.0 } else { value }))
    }

    #[inline(always)]
    unsafe fn gated_by(self, gate: Self) -> Self {
        self.combine(gate, |value, gate| if gate <= 0.0 { 0.0 } else { value })
    }
}

impl<const N: usize> Bf16 for Lanes<N> {
    #[inline(always)]
    unsafe fn dot_pairs(self, other: Self, sum: Self) -> Self {
        let products = self.combine(other, |left, right| {
            let ([low, high], [other_low, other_high]) = (values(left), values(right));
            low * other_low + high * other_high
        });
        products.combine(sum, |product, sum| product + sum)
    }

    #[inline(always)]
    unsafe fn narrow(first: Self, second: Self) -> Self {
        let value = |index: usize| if index < N { first.0[index] } else { second.0[index - N] };
        Self(std::array::from_fn(|lane| word(value(2 * lane), value(2 * lane + 1))))
    }

    #[inline(always)]
    unsafe fn zip(low: Self, high: Self) -> Self {
        Self(std::array::from_fn(|lane| word(low.0[lane], high.0[lane])))
    }
}
