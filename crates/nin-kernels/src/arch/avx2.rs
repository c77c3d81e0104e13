//! AVX2 and FMA: vectors of 8 lanes, 16 registers.

use std::arch::x86_64::{
    __m256, _CMP_EQ_OQ, _CMP_NLE_UQ, _CMP_UNORD_Q, _MM_HINT_T0, _mm_loadl_epi64, _mm_prefetch,
    _mm256_add_ps, _mm256_and_ps, _mm256_blendv_ps, _mm256_cmp_ps, _mm256_cvtepi32_ps,
    _mm256_cvtepu8_epi32, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_mul_ps,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm256_sub_ps,
};

use super::{Operation, Vector};

/// Proof that the CPU has AVX2 and FMA.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// Returns the proof if the CPU has the features.
    pub(crate) fn new() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }

    #[allow(clippy::unused_self, reason = "it is the proof")]
    pub(crate) fn run<O: Operation>(self, operation: O) -> O::Output {
        // SAFETY: `self` proves the features.
        unsafe { enter(operation) }
    }
}

/// # Safety
/// The CPU has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn enter<O: Operation>(operation: O) -> O::Output {
    // SAFETY: the caller's promise.
    unsafe { operation.run::<F32x8>() }
}

/// A vector of eight lanes.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub(crate) struct F32x8(__m256);

impl Vector for F32x8 {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller's CPU has the features, here and below.
        unsafe { Self(_mm256_set1_ps(value)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's pointer has eight readable values.
        unsafe { Self(_mm256_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's pointer has eight writable values.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: features, by the caller.
        unsafe { Self(_mm256_add_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: features, by the caller.
        unsafe { Self(_mm256_sub_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: features, by the caller.
        unsafe { Self(_mm256_mul_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: features, by the caller.
        unsafe { Self(_mm256_fmadd_ps(self.0, factor.0, sum.0)) }
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
            let is_nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(self.0, self.0);
            Self(_mm256_blendv_ps(_mm256_max_ps(self.0, other.0), self.0, is_nan))
        }
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // SAFETY: features, by the caller. Where an operand is NaN, the instruction returns the second one.
        unsafe { Self(_mm256_max_ps(_mm256_setzero_ps(), self.0)) }
    }

    #[inline(always)]
    unsafe fn gated_by(self, gate: Self) -> Self {
        // SAFETY: features, by the caller.
        unsafe {
            Self(_mm256_and_ps(self.0, _mm256_cmp_ps::<_CMP_NLE_UQ>(gate.0, _mm256_setzero_ps())))
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: features, and eight readable bytes, by the caller.
        unsafe { Self(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast())))) }
    }

    #[inline(always)]
    unsafe fn where_equal(self, left: Self, right: Self) -> Self {
        // SAFETY: features, by the caller.
        unsafe { Self(_mm256_and_ps(self.0, _mm256_cmp_ps::<_CMP_EQ_OQ>(left.0, right.0))) }
    }
}
