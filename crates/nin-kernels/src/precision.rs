//! The precision of operands, and conversion to bf16.

/// The precision of the operands of products, and of those saved in words. All else is fp32: weights, sums, activations.
///
/// With AMX, bf16 applies to every layer whose operands can be laid out in tiles (of stride one, or over planes), by the
/// direct algorithm. With AVX-512 BF16 it applies to layers of stride one over panels, except those that Winograd's algorithm
/// has a scheme for: they are faster in fp32 by it, and inside it bf16 would cost two digits of the gradient.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    Fp32,
    /// bf16: the sign, exponent and first seven fraction bits of a float, rounded to nearest even. The same as fp32 where
    /// the CPU has no instruction for it ([`Context::computes_in_bf16`](crate::Context::computes_in_bf16)).
    Bf16,
}

/// Rounds to the bits of a bf16, to nearest even; NaN stays NaN.
pub(crate) fn bf16_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16) as u16
}

/// Rounds two values into one 32-bit word, the first in the lower half. Words are typed as `f32`, but are only moved, never
/// computed with.
pub(crate) fn word(low: f32, high: f32) -> f32 {
    f32::from_bits(u32::from(bf16_bits(low)) | u32::from(bf16_bits(high)) << 16)
}

/// Returns the two values of a word.
pub(crate) fn values(word: f32) -> [f32; 2] {
    let bits = word.to_bits();
    [f32::from_bits(bits << 16), f32::from_bits(bits & 0xFFFF_0000)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_nearest_even() {
        let rounded = |value| values(word(value, -value));
        for (value, expected) in [
            (1.0, 1.0),
            (1.0 + 1.0 / 256.0, 1.0), // a tie, to even
            (1.0 + 3.0 / 256.0, 1.0 + 4.0 / 256.0),
            (1.0 + 1.01 / 256.0, 1.0 + 2.0 / 256.0),
            (f32::INFINITY, f32::INFINITY),
            (f32::MAX, f32::INFINITY),
        ] {
            assert_eq!(rounded(value), [expected, -expected]);
        }
        assert!(rounded(f32::NAN).iter().all(|value| value.is_nan()));
        // A NaN whose fraction is in the half that is cut off.
        assert!(rounded(f32::from_bits(0x7F80_0001)).iter().all(|value| value.is_nan()));
    }
}
