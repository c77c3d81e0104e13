//! The precision of what is multiplied.

/// The operands of products. All else is fp32 in either: weights as they are kept, sums, activations between layers.
///
/// Where the CPU multiplies tiles, those of every layer that lies in them (of stride one, or over planes), by the direct
/// algorithm; where it multiplies words of two, those of the 1x1 layers alone: the others are faster in fp32 by Winograd's, inside which bf16 costs two digits of the gradient.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    Fp32,
    /// bf16: a float's sign, exponent and first seven bits of its fraction, rounded to nearest even. fp32 where the CPU
    /// has no instruction for it ([`Cpu::computes_in_bf16`](crate::Cpu::computes_in_bf16)).
    Bf16,
}

/// Rounded to nearest even, as bits; a NaN stays one.
pub(crate) fn bf16_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16) as u16
}

/// Two values in one word of 32 bits, the first in the lower half. Such words travel as `f32` that are moved and never
/// computed with.
pub(crate) fn word(low: f32, high: f32) -> f32 {
    f32::from_bits(u32::from(bf16_bits(low)) | u32::from(bf16_bits(high)) << 16)
}

/// The two values of a word.
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
        // A NaN whose bits lie in the half that is cut off.
        assert!(rounded(f32::from_bits(0x7F80_0001)).iter().all(|value| value.is_nan()));
    }
}
