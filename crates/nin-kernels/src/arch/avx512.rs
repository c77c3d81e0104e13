//! AVX-512 F: vectors of 16 lanes, 32 registers.

use std::arch::x86_64::{
    __m512, _CMP_EQ_OQ, _CMP_NLE_UQ, _CMP_UNORD_Q, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch,
    _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_cvtepi32_ps, _mm512_cvtepu8_epi32, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_mask_mov_ps, _mm512_maskz_mov_ps, _mm512_max_ps, _mm512_mul_ps,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::{Operation, Vector};

/// Proof that the CPU has AVX-512 F, and AVX2 and FMA, which the compiler may mix in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// Returns the proof if the CPU has the features.
    pub(crate) fn new() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma");
        (found && is_x86_feature_detected!("avx2")).then_some(Self(()))
    }

    #[allow(clippy::unused_self, reason = "it is the proof")]
    pub(crate) fn run<O: Operation>(self, operation: O) -> O::Output {
        // SAFETY: `self` proves the features.
        unsafe { enter(operation) }
    }
}

/// # Safety
/// The CPU has AVX-512 F, AVX2 and FMA.
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn enter<O: Operation>(operation: O) -> O::Output {
    // SAFETY: the caller's promise.
    unsafe { operation.run::<F32x16>() }
}

/// A vector of sixteen lanes.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub(crate) struct F32x16(pub(super) __m512);

impl Vector for F32x16 {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller's CPU has the features, here and below.
        unsafe { Self(_mm512_set1_ps(value)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's pointer has sixteen readable values.
        unsafe { Self(_mm512_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's pointer has sixteen writable values.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: features, by the caller.
        unsafe { Self(_mm512_add_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: features, by the caller.
        unsafe { Self(_mm512_sub_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: features, by the caller.
        unsafe { Self(_mm512_mul_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: features, by the caller.
        unsafe { Self(_mm512_fmadd_ps(self.0, factor.0, sum.0)) }
    }

    #[inline(always)]
    unsafe fn prefetch(address: *const f32) {
        // SAFETY: a prefetch faults on no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: features, by the caller. Where an operand is NaN, or both are zero, the instruction returns the second one.
        unsafe {
            let is_nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self.0, self.0);
            Self(_mm512_mask_mov_ps(_mm512_max_ps(self.0, other.0), is_nan, self.0))
        }
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // SAFETY: features, by the caller. Where an operand is NaN, the instruction returns the second one.
        unsafe { Self(_mm512_max_ps(_mm512_setzero_ps(), self.0)) }
    }

    #[inline(always)]
    unsafe fn gated_by(self, gate: Self) -> Self {
        // SAFETY: features, by the caller.
        unsafe {
            let open = _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(gate.0, _mm512_setzero_ps());
            Self(_mm512_maskz_mov_ps(open, self.0))
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: features, and sixteen readable bytes, by the caller.
        unsafe { Self(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast())))) }
    }

    #[inline(always)]
    unsafe fn where_equal(self, left: Self, right: Self) -> Self {
        // SAFETY: features, by the caller.
        unsafe {
            let equal = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(left.0, right.0);
            Self(_mm512_maskz_mov_ps(equal, self.0))
        }
    }
}
