//! The inverse DCT, bit-identical to libjpeg's accurate integer version (`jidctint.c`).
//!
//! The algorithm is Loeffler, Ligtenberg and Moschytz, "Practical fast 1-D DCT algorithms with 11
//! multiplications", ICASSP 1989. Each pass handles the eight lanes of the other direction at once, so that
//! compilers vectorize it. Sums wrap, because only damaged data can overflow.

// Vectorized code must be inlined; `nin_kernels::Vectorize` explains why.
#![allow(clippy::inline_always)]

use std::num::Wrapping;

use nin_kernels::{Vectorize, transposed, vectorized};

use super::frame::BLOCK;

type Lanes = [[i32; BLOCK]; BLOCK];

/// Fractional bits of the constants, and of the values between the two passes.
const CONSTANT_BITS: usize = 13;
const PASS_BITS: usize = 2;
/// The middle of the sample range, which a zero block decodes to.
const MIDDLE: i16 = 128;

/// The number of leading zigzag coefficients in the upper left quarter.
const QUARTER: usize = 10;

/// Transforms a block of row-major coefficients and writes it to `samples`, whose rows are `stride` apart.
/// All coefficients after the first `count` in zigzag order must be 0.
pub(super) fn inverse(coefficients: &[i32; 64], count: usize, samples: &mut [u8], stride: usize) {
    match count {
        ..=1 => inverse_flat(coefficients[0], samples, stride),
        2..=QUARTER => vectorized(Inverse::<4> { coefficients, samples, stride }),
        _ => vectorized(Inverse::<BLOCK> { coefficients, samples, stride }),
    }
}

/// The transform of a block whose nonzero coefficients lie in the first `SIDE` rows and columns.
struct Inverse<'a, const SIDE: usize> {
    coefficients: &'a [i32; 64],
    samples: &'a mut [u8],
    stride: usize,
}

impl<const SIDE: usize> Vectorize for Inverse<'_, SIDE> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        inverse_of::<SIDE>(self.coefficients, self.samples, self.stride);
    }
}

#[inline(always)]
fn inverse_of<const SIDE: usize>(coefficients: &[i32; 64], samples: &mut [u8], stride: usize) {
    let (rows, _) = coefficients.as_chunks::<BLOCK>();
    let mut lanes: Lanes = [[0; BLOCK]; BLOCK];
    lanes.copy_from_slice(rows);
    pass::<SIDE, { CONSTANT_BITS - PASS_BITS }>(&mut lanes);
    let mut lanes = transposed(lanes);
    pass::<SIDE, { CONSTANT_BITS + PASS_BITS + 3 }>(&mut lanes);
    for (lanes, row) in transposed(lanes).iter().zip(samples.chunks_mut(stride)) {
        let Some(row) = row.first_chunk_mut::<BLOCK>() else { return };
        *row = lanes.map(to_sample);
    }
}

/// Writes a block that has only a DC coefficient.
fn inverse_flat(mean: i32, samples: &mut [u8], stride: usize) {
    let sample = to_sample((mean + 4) >> 3);
    for row in samples.chunks_mut(stride).take(BLOCK) {
        row[..BLOCK].fill(sample);
    }
}

#[inline(always)]
fn to_sample(value: i32) -> u8 {
    // The value has at most 14 bits, and 16-bit lanes clamp faster.
    (value as i16 + MIDDLE).clamp(0, 255) as u8
}

/// Transforms one dimension of every lane. Only the first `SIDE` coefficients may be nonzero. Rounds off
/// `SHIFT` bits of the result.
#[inline(always)]
fn pass<const SIDE: usize, const SHIFT: usize>(lanes: &mut Lanes) {
    let input = *lanes;
    for lane in 0..BLOCK {
        let at = |row: usize| Wrapping(if row < SIDE { input[row][lane] } else { 0 });
        let constant = Wrapping::<i32>;

        let sum = (at(2) + at(6)) * constant(4433);
        let inner = sum - at(6) * constant(15_137);
        let outer = sum + at(2) * constant(6270);
        let plus = (at(0) + at(4)) << CONSTANT_BITS;
        let minus = (at(0) - at(4)) << CONSTANT_BITS;
        let even = [plus + outer, minus + inner, minus - inner, plus - outer];

        let all = (at(7) + at(3) + at(5) + at(1)) * constant(9633);
        let first = (at(7) + at(1)) * constant(-7373);
        let second = (at(5) + at(3)) * constant(-20_995);
        let third = (at(7) + at(3)) * constant(-16_069) + all;
        let fourth = (at(5) + at(1)) * constant(-3196) + all;
        let odd = [
            at(1) * constant(12_299) + first + fourth,
            at(3) * constant(25_172) + second + third,
            at(5) * constant(16_819) + second + fourth,
            at(7) * constant(2446) + first + third,
        ];

        let half = constant(1 << (SHIFT - 1));
        for (row, (even, odd)) in even.into_iter().zip(odd).enumerate() {
            lanes[row][lane] = ((even + odd + half) >> SHIFT).0;
            lanes[BLOCK - 1 - row][lane] = ((even - odd + half) >> SHIFT).0;
        }
    }
}
