//! NEON: vectors of 4 lanes, 32 registers. Rust's 64-bit ARM targets for Linux, macOS and Windows require it.

use std::arch::aarch64::{
    float32x4_t, uint32x4_t, vaddq_f32, vandq_u32, vbicq_u32, vbslq_f32, vceqq_f32, vcgtq_f32,
    vclezq_f32, vcltzq_f32, vcvtq_f32_u32, vdup_n_u32, vdupq_n_f32, vfmaq_f32, vfmaq_laneq_f32,
    vget_low_u16, vld1q_f32, vmovl_u8, vmovl_u16, vmulq_f32, vornq_u32, vreinterpret_u8_u32,
    vreinterpretq_f32_u32, vreinterpretq_u32_f32, vst1q_f32, vsubq_f32,
};
use std::arch::{asm, is_aarch64_feature_detected};

use super::{Operation, Vector};

/// Proof that the CPU has NEON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neon(());

impl Neon {
    /// Returns the proof if the CPU has the feature.
    pub(crate) fn new() -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(()))
    }

    #[allow(clippy::unused_self, reason = "it is the proof")]
    pub(crate) fn run<O: Operation>(self, operation: O) -> O::Output {
        // SAFETY: `self` proves the feature.
        unsafe { enter(operation) }
    }
}

/// # Safety
/// The CPU has NEON.
// Callers have NEON too. Not inlined, so that a disassembly shows each kernel by its name (`.ci/aarch64`).
#[inline(never)]
#[target_feature(enable = "neon")]
unsafe fn enter<O: Operation>(operation: O) -> O::Output {
    // SAFETY: the caller's promise.
    unsafe { operation.run::<F32x4>() }
}

/// A vector of four lanes.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub(crate) struct F32x4(float32x4_t);

impl Vector for F32x4 {
    const LANES: usize = 4;
    // `fmla` takes a lane of a register as a factor. A load that broadcasts a value takes a turn of the arithmetic units
    // on many cores.
    const HAS_LANE_FACTORS: bool = true;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller's CPU has the feature, here and below.
        unsafe { Self(vdupq_n_f32(value)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's pointer has four readable values.
        unsafe { Self(vld1q_f32(from)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's pointer has four writable values.
        unsafe { vst1q_f32(to, self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the feature, by the caller.
        unsafe { Self(vaddq_f32(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the feature, by the caller.
        unsafe { Self(vsubq_f32(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: the feature, by the caller.
        unsafe { Self(vmulq_f32(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the feature, by the caller.
        unsafe { Self(vfmaq_f32(sum.0, self.0, factor.0)) }
    }

    #[inline(always)]
    unsafe fn accumulate_lane<const LANE: i32>(self, factors: Self, sum: Self) -> Self {
        // SAFETY: the feature, by the caller.
        unsafe { Self(vfmaq_laneq_f32::<LANE>(sum.0, self.0, factors.0)) }
    }

    // The intrinsic is not stable.
    #[inline(always)]
    unsafe fn prefetch(address: *const f32) {
        // SAFETY: a prefetch faults on no address.
        unsafe {
            asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, readonly, preserves_flags));
        }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: the feature, by the caller. A comparison with NaN is false.
        unsafe {
            let is_number = vceqq_f32(self.0, self.0);
            let wins = vornq_u32(vcgtq_f32(self.0, other.0), is_number);
            Self(vbslq_f32(wins, self.0, other.0))
        }
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // SAFETY: the feature, by the caller. A comparison with NaN is false.
        unsafe { self.zero_where(vcltzq_f32(self.0)) }
    }

    #[inline(always)]
    unsafe fn gated_by(self, gate: Self) -> Self {
        // SAFETY: as above.
        unsafe { self.zero_where(vclezq_f32(gate.0)) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: the feature, and four readable bytes, by the caller.
        unsafe {
            let bytes = vreinterpret_u8_u32(vdup_n_u32(from.cast::<u32>().read_unaligned()));
            let words = vmovl_u16(vget_low_u16(vmovl_u8(bytes)));
            Self(vcvtq_f32_u32(words))
        }
    }

    #[inline(always)]
    unsafe fn where_equal(self, left: Self, right: Self) -> Self {
        // SAFETY: the feature, by the caller.
        unsafe {
            let equal = vceqq_f32(left.0, right.0);
            Self(vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(self.0), equal)))
        }
    }
}

impl F32x4 {
    /// Returns zero in the lanes of `mask` that are all ones, and `self` in those that are all zeros.
    ///
    /// # Safety
    /// The CPU has NEON.
    #[inline(always)]
    unsafe fn zero_where(self, mask: uint32x4_t) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self(vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(self.0), mask))) }
    }
}
