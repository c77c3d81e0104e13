//! The inverse DCT: libjpeg's accurate integer one (`jidctint.c`), bit for bit.
//!
//! Loeffler, Ligtenberg and Moschytz, "Practical fast 1-D DCT algorithms with 11 multiplications",
//! ICASSP 1989. Each pass is written over the eight lanes of the other direction, which compilers
//! turn into vectors. Sums wrap: only damaged data is so large.

use std::num::Wrapping;

use super::frame::BLOCK;

type Lanes = [[i32; BLOCK]; BLOCK];

/// Bits behind the point of the constants, and of what the first pass gives to the second.
const CONSTANT_BITS: usize = 13;
const PASS_BITS: usize = 2;
/// The middle of a sample's range: where a coefficient of 0 is.
const MIDDLE: i32 = 128;

/// Writes the block of these coefficients, row after row, into samples with this distance from row
/// to row.
pub(super) fn inverse(coefficients: &[i32; 64], samples: &mut [u8], stride: usize) {
    let (rows, _) = coefficients.as_chunks::<BLOCK>();
    let mut lanes: Lanes = [[0; BLOCK]; BLOCK];
    lanes.copy_from_slice(rows);
    pass::<{ CONSTANT_BITS - PASS_BITS }>(&mut lanes);
    let mut lanes = transposed(&lanes);
    pass::<{ CONSTANT_BITS + PASS_BITS + 3 }>(&mut lanes);
    for (lanes, row) in transposed(&lanes).iter().zip(samples.chunks_mut(stride)) {
        for (sample, &value) in row.iter_mut().zip(lanes) {
            *sample = to_sample(value);
        }
    }
}

/// Writes the block that has no other coefficient than its mean.
pub(super) fn inverse_flat(mean: i32, samples: &mut [u8], stride: usize) {
    let sample = to_sample((mean + 4) >> 3);
    for row in samples.chunks_mut(stride).take(BLOCK) {
        row[..BLOCK].fill(sample);
    }
}

fn to_sample(value: i32) -> u8 {
    value.saturating_add(MIDDLE).clamp(0, 255) as u8
}

fn transposed(lanes: &Lanes) -> Lanes {
    std::array::from_fn(|row| std::array::from_fn(|column| lanes[column][row]))
}

/// One dimension, for each lane; the result is rounded by so many bits.
#[inline]
fn pass<const SHIFT: usize>(lanes: &mut Lanes) {
    let input = *lanes;
    for lane in 0..BLOCK {
        let at = |row: usize| Wrapping(input[row][lane]);
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
