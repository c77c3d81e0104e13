//! Sums of products of bytes in plain Rust.

use super::Int8;

/// Sixteen words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words([u32; 16]);

impl Words {
    /// Returns `scale * sum + bias` of a lane, rounded after each of the two operations.
    ///
    /// # Safety
    /// The pointers have sixteen readable values.
    #[inline(always)]
    unsafe fn scaled(self, scale: *const f32, bias: *const f32) -> [f32; 16] {
        // SAFETY: the caller's pointers.
        let (scale, bias) = unsafe {
            (scale.cast::<[f32; 16]>().read_unaligned(), bias.cast::<[f32; 16]>().read_unaligned())
        };
        std::array::from_fn(|lane| self.0[lane].cast_signed() as f32 * scale[lane] + bias[lane])
    }
}

impl Int8 for Words {
    // Few, for the compiler unrolls each size of a tile.
    const ROWS: usize = 2;
    const PANELS: usize = 1;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0; 16])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's pointer has sixteen readable words.
        unsafe { Self(from.cast::<[u32; 16]>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn broadcast(from: *const f32) -> Self {
        // SAFETY: the caller's pointer has a readable word.
        unsafe { Self([from.cast::<u32>().read_unaligned(); 16]) }
    }

    #[inline(always)]
    unsafe fn dot_quads(self, activations: Self, sum: Self) -> Self {
        Self(std::array::from_fn(|lane| {
            let (weights, values) = (self.0[lane].to_ne_bytes(), activations.0[lane].to_ne_bytes());
            let mut total = sum.0[lane].cast_signed();
            for byte in 0..4 {
                total += i32::from(weights[byte].cast_signed()) * i32::from(values[byte]);
            }
            total.cast_unsigned()
        }))
    }

    #[inline(always)]
    unsafe fn store_bytes(self, scale: *const f32, bias: *const f32, to: *mut f32) {
        // SAFETY: the caller's pointers.
        unsafe {
            let bytes = self.scaled(scale, bias).map(byte);
            to.cast::<[u8; 16]>().write_unaligned(bytes);
        }
    }

    #[inline(always)]
    unsafe fn store_floats(self, scale: *const f32, bias: *const f32, to: *mut f32) {
        // SAFETY: the caller's pointers.
        unsafe {
            let values = self.scaled(scale, bias).map(|value| value.max(0.0));
            to.cast::<[f32; 16]>().write_unaligned(values);
        }
    }

    #[inline(always)]
    unsafe fn quantize(from: *const f32, factor: f32, to: *mut f32) {
        // SAFETY: the caller's pointers.
        unsafe {
            let values = from.cast::<[f32; 16]>().read_unaligned();
            to.cast::<[u8; 16]>().write_unaligned(values.map(|value| byte(factor * value)));
        }
    }
}

/// Rounds to the nearest byte, ties to even.
#[inline(always)]
pub(crate) fn byte(value: f32) -> u8 {
    value.clamp(0.0, 255.0).round_ties_even() as u8
}
