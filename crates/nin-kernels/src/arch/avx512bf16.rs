//! AVX-512 BF16: two products of bf16 in each lane of a vector.

use std::arch::x86_64::{
    __cpuid, __m256, __m256bh, __m512, __m512bh, _mm256_loadu_si256, _mm256_storeu_ps,
    _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cvtepu16_epi32, _mm512_cvtne2ps_pbh,
    _mm512_cvtneps_pbh, _mm512_dpbf16_ps, _mm512_permutexvar_epi16, _mm512_set_epi16,
    _mm512_slli_epi32,
};
use std::mem::transmute;
use std::sync::OnceLock;

use super::avx512::F32x16;
use super::{Bf16, Bf16Operation};

/// Proof that the CPU has AVX-512 F, BW and BF16, and AVX2 and FMA, which the compiler may mix in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512Bf16(());

impl Avx512Bf16 {
    /// Returns the proof if the CPU has the features.
    pub(crate) fn new() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512bf16");
        (found && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"))
            .then_some(Self(()))
    }

    #[allow(clippy::unused_self, reason = "it is the proof")]
    pub(crate) fn run<O: Bf16Operation>(self, operation: O) {
        // SAFETY: `self` proves the features.
        unsafe { enter(operation) }
    }
}

/// Returns whether bf16 is faster than fp32 on this CPU.
///
/// AMD cores (Zen 4) run the instruction at the rate of the fp32 multiply-add, for twice the products. The Intel cores that
/// were measured run it at half that rate or less: a 1x1 layer took 1.5 to 2.3 times as long as in fp32. Intel's fast unit
/// for bf16 is AMX.
pub(crate) fn is_faster_than_fp32() -> bool {
    // Cached: in a virtual machine CPUID traps to the host.
    static FASTER: OnceLock<bool> = OnceLock::new();
    *FASTER.get_or_init(|| {
        let vendor = __cpuid(0);
        // "GenuineIntel", four letters in each register.
        let intel = [*b"Genu", *b"ineI", *b"ntel"].map(u32::from_le_bytes);
        [vendor.ebx, vendor.edx, vendor.ecx] != intel
    })
}

/// # Safety
/// The CPU has AVX-512 F, BW and BF16, AVX2 and FMA.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16,avx2,fma")]
unsafe fn enter<O: Bf16Operation>(operation: O) {
    // SAFETY: the caller's promise.
    unsafe { operation.run::<F32x16>() }
}

impl Bf16 for F32x16 {
    #[inline(always)]
    unsafe fn dot_pairs(self, other: Self, sum: Self) -> Self {
        // SAFETY: features, by the caller; registers of one size, and any bits are pairs of bf16.
        unsafe {
            let (left, right) =
                (transmute::<__m512, __m512bh>(self.0), transmute::<__m512, __m512bh>(other.0));
            Self(_mm512_dpbf16_ps(sum.0, left, right))
        }
    }

    #[inline(always)]
    unsafe fn narrow(first: Self, second: Self) -> Self {
        // SAFETY: as above. The instruction's second operand fills the lower half.
        unsafe { Self(transmute::<__m512bh, __m512>(_mm512_cvtne2ps_pbh(second.0, first.0))) }
    }

    #[inline(always)]
    unsafe fn store_narrow(self, to: *mut f32) {
        // SAFETY: as above, and eight words to write.
        unsafe {
            let words = transmute::<__m256bh, __m256>(_mm512_cvtneps_pbh(self.0));
            _mm256_storeu_ps(to, words);
        }
    }

    #[inline(always)]
    unsafe fn load_wide(from: *const f32) -> Self {
        // SAFETY: as above, and eight words to read.
        unsafe {
            let halves = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(halves)))
        }
    }

    #[inline(always)]
    unsafe fn interleave(self) -> Self {
        // SAFETY: as above.
        unsafe {
            let order = _mm512_set_epi16(
                31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5,
                20, 4, 19, 3, 18, 2, 17, 1, 16, 0,
            );
            let halves = _mm512_castps_si512(self.0);
            Self(_mm512_castsi512_ps(_mm512_permutexvar_epi16(order, halves)))
        }
    }
}
