//! AVX-512 VNNI: four products of bytes in each lane of a vector.

use std::arch::x86_64::{
    __m512, __m512i, _mm_storeu_si128, _mm512_add_ps, _mm512_cvtepi32_ps, _mm512_cvtps_epi32,
    _mm512_cvtusepi32_epi8, _mm512_dpbusd_epi32, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_setzero_si512, _mm512_storeu_ps,
};

use super::{Int8, Int8Operation};

/// Proof that the CPU has AVX-512 F, BW and VNNI, and AVX2 and FMA, which the compiler may mix in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512Vnni(());

impl Avx512Vnni {
    /// Returns the proof if the CPU has the features.
    pub(crate) fn new() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni");
        (found && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"))
            .then_some(Self(()))
    }

    #[allow(clippy::unused_self, reason = "it is the proof")]
    pub(crate) fn run<O: Int8Operation>(self, operation: O) {
        // SAFETY: `self` proves the features.
        unsafe { enter(operation) }
    }
}

/// # Safety
/// The CPU has AVX-512 F, BW and VNNI, AVX2 and FMA.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma")]
unsafe fn enter<O: Int8Operation>(operation: O) {
    // SAFETY: the caller's promise.
    unsafe { operation.run::<I32x16>() }
}

/// Sixteen words.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub(crate) struct I32x16(__m512i);

impl I32x16 {
    /// Returns `scale * sum + bias`, rounded after each of the two operations, as on every CPU.
    ///
    /// # Safety
    /// The CPU has the features, and the pointers sixteen readable values.
    #[inline(always)]
    unsafe fn scaled(self, scale: *const f32, bias: *const f32) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe {
            let product = _mm512_mul_ps(_mm512_cvtepi32_ps(self.0), _mm512_loadu_ps(scale));
            _mm512_max_ps(_mm512_setzero_ps(), _mm512_add_ps(product, _mm512_loadu_ps(bias)))
        }
    }
}

/// Stores values that are not negative as bytes. The conversion rounds ties to even, which Rust never changes.
///
/// # Safety
/// The CPU has the features, and the pointer four writable words.
#[inline(always)]
unsafe fn store_rounded(values: __m512, to: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        let bytes = _mm512_cvtps_epi32(_mm512_min_ps(values, _mm512_set1_ps(255.0)));
        _mm_storeu_si128(to.cast(), _mm512_cvtusepi32_epi8(bytes));
    }
}

// SAFETY of every function below: features and pointers, by the caller.
impl Int8 for I32x16 {
    const ROWS: usize = 14;
    const PANELS: usize = 2;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_setzero_si512()) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn broadcast(from: *const f32) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_set1_epi32(from.cast::<i32>().read_unaligned())) }
    }

    #[inline(always)]
    unsafe fn dot_quads(self, activations: Self, sum: Self) -> Self {
        // SAFETY: see above. The instruction takes the unsigned bytes first.
        unsafe { Self(_mm512_dpbusd_epi32(sum.0, activations.0, self.0)) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, scale: *const f32, bias: *const f32, to: *mut f32) {
        // SAFETY: see above.
        unsafe { store_rounded(self.scaled(scale, bias), to) }
    }

    #[inline(always)]
    unsafe fn store_floats(self, scale: *const f32, bias: *const f32, to: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_ps(to, self.scaled(scale, bias)) }
    }

    #[inline(always)]
    unsafe fn quantize(from: *const f32, factor: f32, to: *mut f32) {
        // SAFETY: see above.
        unsafe {
            let product = _mm512_mul_ps(_mm512_loadu_ps(from), _mm512_set1_ps(factor));
            store_rounded(_mm512_max_ps(_mm512_setzero_ps(), product), to);
        }
    }
}
