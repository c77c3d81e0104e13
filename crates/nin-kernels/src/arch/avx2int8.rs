//! AVX2: sums of products of bytes, with AVX-VNNI's instruction or in 16 bits.

use std::arch::x86_64::{
    __m256, __m256i, _mm_castsi128_ps, _mm_packus_epi16, _mm_storeu_ps, _mm256_add_epi32,
    _mm256_add_ps, _mm256_and_si256, _mm256_castsi256_si128, _mm256_cvtepi32_ps,
    _mm256_cvtps_epi32, _mm256_dpbusd_avx_epi32, _mm256_extracti128_si256, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps,
    _mm256_packus_epi32, _mm256_permute4x64_epi64, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_slli_epi16, _mm256_srai_epi16,
    _mm256_srli_epi16, _mm256_storeu_ps,
};

use super::{Int8, Int8Operation};

/// Proof that the CPU has AVX2 and FMA, and AVX-VNNI if that is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2Int8 {
    has_vnni: bool,
}

impl Avx2Int8 {
    /// Returns the proof if the CPU has the features.
    pub(crate) fn new() -> Option<Self> {
        let has_vnni = is_x86_feature_detected!("avxvnni");
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"))
            .then_some(Self { has_vnni })
    }

    /// Returns the proof without AVX-VNNI.
    #[cfg(test)]
    pub(crate) fn without_vnni(mut self) -> Self {
        self.has_vnni = false;
        self
    }

    pub(crate) fn run<O: Int8Operation>(self, operation: O) {
        // SAFETY: `self` proves the features.
        unsafe { if self.has_vnni { enter_vnni(operation) } else { enter(operation) } }
    }
}

/// # Safety
/// The CPU has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn enter<O: Int8Operation>(operation: O) {
    // SAFETY: the caller's promise.
    unsafe { operation.run::<Halves<false>>() }
}

/// # Safety
/// The CPU has AVX2, FMA and AVX-VNNI.
#[target_feature(enable = "avx2,fma,avxvnni")]
unsafe fn enter_vnni<O: Int8Operation>(operation: O) {
    // SAFETY: the caller's promise.
    unsafe { operation.run::<Halves<true>>() }
}

/// Sixteen words in two registers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Halves<const VNNI: bool>([__m256i; 2]);

impl<const VNNI: bool> Halves<VNNI> {
    /// Returns the ReLU of `scale * sum + bias`, rounded after each of the two operations, as on every CPU.
    ///
    /// # Safety
    /// The CPU has the features, and the pointers sixteen readable values.
    #[inline(always)]
    unsafe fn scaled(self, scale: *const f32, bias: *const f32) -> [__m256; 2] {
        let mut values = [scale, bias];
        self.0.map(|sum| {
            // SAFETY: the caller's promise.
            unsafe {
                let [scale, bias] = values;
                values = [scale.add(8), bias.add(8)];
                let product = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(scale));
                let sum = _mm256_add_ps(product, _mm256_loadu_ps(bias));
                _mm256_max_ps(_mm256_setzero_ps(), sum)
            }
        })
    }
}

/// Stores values that are not negative as bytes. The conversion rounds ties to even, which Rust never changes.
///
/// # Safety
/// The CPU has AVX2, and the pointer four writable words.
#[inline(always)]
unsafe fn store_rounded(values: [__m256; 2], to: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        let largest = _mm256_set1_ps(255.0);
        let [low, high] = [
            _mm256_cvtps_epi32(_mm256_min_ps(values[0], largest)),
            _mm256_cvtps_epi32(_mm256_min_ps(values[1], largest)),
        ];
        // The instruction interleaves the 128-bit halves of its operands.
        let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high));
        let (low, high) = (_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
        _mm_storeu_ps(to, _mm_castsi128_ps(_mm_packus_epi16(low, high)));
    }
}

/// Adds the four products of each lane in 16 bits: a product of bytes fits, and the sum of two has 32.
///
/// # Safety
/// The CPU has AVX2.
#[inline(always)]
unsafe fn dot(weights: __m256i, activations: __m256i, sum: __m256i) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe {
        let even = _mm256_madd_epi16(
            _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(weights)),
            _mm256_and_si256(activations, _mm256_set1_epi16(0xff)),
        );
        let odd =
            _mm256_madd_epi16(_mm256_srai_epi16::<8>(weights), _mm256_srli_epi16::<8>(activations));
        _mm256_add_epi32(sum, _mm256_add_epi32(even, odd))
    }
}

// SAFETY of every function below: features and pointers, by the caller.
impl<const VNNI: bool> Int8 for Halves<VNNI> {
    // Without AVX-VNNI the products take registers of their own.
    const ROWS: usize = if VNNI { 6 } else { 4 };
    const PANELS: usize = 1;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: see above.
        unsafe { Self([_mm256_setzero_si256(); 2]) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        unsafe { Self([_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(8).cast())]) }
    }

    #[inline(always)]
    unsafe fn broadcast(from: *const f32) -> Self {
        // SAFETY: see above.
        unsafe { Self([_mm256_set1_epi32(from.cast::<i32>().read_unaligned()); 2]) }
    }

    #[inline(always)]
    unsafe fn dot_quads(self, activations: Self, sum: Self) -> Self {
        let ([low, high], [values, _], [low_sum, high_sum]) = (self.0, activations.0, sum.0);
        // SAFETY: see above.
        unsafe {
            if VNNI {
                // The instruction takes the unsigned bytes first.
                Self([
                    _mm256_dpbusd_avx_epi32(low_sum, values, low),
                    _mm256_dpbusd_avx_epi32(high_sum, values, high),
                ])
            } else {
                Self([dot(low, values, low_sum), dot(high, values, high_sum)])
            }
        }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, scale: *const f32, bias: *const f32, to: *mut f32) {
        // SAFETY: see above.
        unsafe { store_rounded(self.scaled(scale, bias), to) }
    }

    #[inline(always)]
    unsafe fn store_floats(self, scale: *const f32, bias: *const f32, to: *mut f32) {
        // SAFETY: see above.
        unsafe {
            let [low, high] = self.scaled(scale, bias);
            _mm256_storeu_ps(to, low);
            _mm256_storeu_ps(to.add(8), high);
        }
    }

    #[inline(always)]
    unsafe fn quantize(from: *const f32, factor: f32, to: *mut f32) {
        // SAFETY: see above.
        unsafe {
            let (factor, zero) = (_mm256_set1_ps(factor), _mm256_setzero_ps());
            let values = [
                _mm256_max_ps(zero, _mm256_mul_ps(_mm256_loadu_ps(from), factor)),
                _mm256_max_ps(zero, _mm256_mul_ps(_mm256_loadu_ps(from.add(8)), factor)),
            ];
            store_rounded(values, to);
        }
    }
}
