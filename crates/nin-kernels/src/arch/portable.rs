//! Vectors in plain Rust. They run everywhere, and let tests cover the tile shapes of every instruction set.

use super::{Bf16, TILE_LEN, TILE_ROWS, TILE_WORDS, TileBlock, Tiles, Vector};
use crate::precision::{values, word};

/// A vector of `N` lanes.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Lanes<const N: usize>([f32; N]);

/// A vector as wide as those of NEON.
pub(crate) type F32x4 = Lanes<4>;
/// A vector as wide as those of AVX2.
pub(crate) type F32x8 = Lanes<8>;
/// A vector as wide as those of AVX-512.
pub(crate) type F32x16 = Lanes<16>;

impl<const N: usize> Lanes<N> {
    #[inline(always)]
    fn combine(self, other: Self, mut combine: impl FnMut(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| combine(self.0[lane], other.0[lane])))
    }
}

impl<const N: usize> Vector for Lanes<N> {
    const LANES: usize = N;
    const HAS_LANE_FACTORS: bool = N == 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; N])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's pointer has `N` readable values, at any address.
        unsafe { Self(from.cast::<[f32; N]>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's pointer has `N` writable values, at any address.
        unsafe { to.cast::<[f32; N]>().write_unaligned(self.0) }
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

    // Not `f32::mul_add`, which is a library call without the instruction.
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: plain Rust.
        unsafe { self.mul(factor).add(sum) }
    }

    #[inline(always)]
    unsafe fn accumulate_lane<const LANE: i32>(self, factors: Self, sum: Self) -> Self {
        // SAFETY: plain Rust.
        unsafe { Self::splat(factors.0[LANE as usize]).accumulate(self, sum) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.combine(
            other,
            |value, other| {
                if value > other || value.is_nan() { value } else { other }
            },
        )
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        Self(self.0.map(|value| if value < 0.0 { 0.0 } else { value }))
    }

    #[inline(always)]
    unsafe fn gated_by(self, gate: Self) -> Self {
        self.combine(gate, |value, gate| if gate <= 0.0 { 0.0 } else { value })
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: `N` readable bytes, by the caller.
        unsafe { Self(from.cast::<[u8; N]>().read().map(f32::from)) }
    }

    #[inline(always)]
    unsafe fn where_equal(self, left: Self, right: Self) -> Self {
        let keep = |lane| if left.0[lane] == right.0[lane] { self.0[lane] } else { 0.0 };
        Self(std::array::from_fn(keep))
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
    unsafe fn store_narrow(self, to: *mut f32) {
        for index in 0..N / 2 {
            // SAFETY: half as many words as lanes, by the caller.
            unsafe { to.add(index).write(word(self.0[2 * index], self.0[2 * index + 1])) }
        }
    }

    #[inline(always)]
    unsafe fn load_wide(from: *const f32) -> Self {
        // SAFETY: half as many words as lanes, by the caller.
        let value = |lane: usize| unsafe { values(from.add(lane / 2).read())[lane % 2] };
        Self(std::array::from_fn(value))
    }

    #[inline(always)]
    unsafe fn interleave(self) -> Self {
        let value = |index: usize| values(self.0[index / 2])[index % 2];
        Self(std::array::from_fn(|lane| word(value(lane), value(N + lane))))
    }
}

impl Tiles for F32x16 {
    #[inline(always)]
    unsafe fn configure() {}

    #[inline(always)]
    unsafe fn release() {}

    #[inline(always)]
    unsafe fn products<const M: usize, const N: usize>(block: &TileBlock) {
        for m in 0..M {
            for n in 0..N {
                // SAFETY: the caller's pointers are valid for M x N tiles; offsets and strides are whole bf16.
                unsafe { tile_products(block, m, n) }
            }
        }
    }

    #[inline(always)]
    unsafe fn zip_halves(low: Self, high: Self) -> [Self; 2] {
        let half = |vector: &Self, index: usize| values(vector.0[index / 2])[index % 2];
        [0, 16].map(|first| {
            Lanes(std::array::from_fn(|lane| {
                word(half(&low, first + lane), half(&high, first + lane))
            }))
        })
    }

    #[inline(always)]
    unsafe fn transpose(words: &mut [Self; 16]) {
        let rows = *words;
        for (column, word) in words.iter_mut().enumerate() {
            *word = Lanes(std::array::from_fn(|row| rows[row].0[column]));
        }
    }
}

/// Computes one tile of sums.
///
/// # Safety
/// As for [`Tiles::products`].
unsafe fn tile_products(block: &TileBlock, m: usize, n: usize) {
    // SAFETY: the caller's promise. A left row may start at any even address.
    unsafe {
        let mut sums = [F32x16::splat(0.0); TILE_ROWS];
        for (row, sum) in sums.iter_mut().enumerate() {
            *sum = F32x16::load(block.start[m][n].byte_add(row * block.start_row));
        }
        for step in 0..block.steps {
            let left =
                block.left.byte_add(*block.offsets.add(step) + m * TILE_ROWS * block.left_row);
            let right = block.right[n].add(step * TILE_LEN);
            for (row, sum) in sums.iter_mut().enumerate() {
                let left = left.byte_add(row * block.left_row);
                for word in 0..TILE_WORDS {
                    let pair = F32x16::splat(left.add(word).read_unaligned());
                    *sum = pair.dot_pairs(F32x16::load(right.add(word * TILE_WORDS)), *sum);
                }
            }
        }
        for (row, sum) in sums.into_iter().enumerate() {
            sum.store(block.sums[m][n].byte_add(row * block.sums_row));
        }
    }
}
