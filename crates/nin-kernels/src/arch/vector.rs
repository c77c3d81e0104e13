//! The vector interface: what a kernel requires of an instruction set, and how the instruction set runs it.

use crate::panels::PANEL;

/// A piece of work that is compiled once for each instruction set.
pub(crate) trait Operation {
    /// The result.
    type Output;

    /// Does the work.
    ///
    /// Every implementation is `#[inline(always)]`, and so is every function that it calls. Wherever the chain from
    /// [`Arch::run`](super::Arch::run) down to an intrinsic is broken, the intrinsic becomes a function call, fifty times
    /// slower.
    ///
    /// # Safety
    /// The CPU has the instruction set of `V`.
    unsafe fn run<V: Vector>(self) -> Self::Output;
}

/// A register of `f32`.
///
/// Every function is unsafe for one reason: the CPU must have the instruction set, which [`Arch`](super::Arch) proves on
/// entry. `load`, `load_bytes` and `store` also require [`LANES`](Self::LANES) values or bytes at the pointer, which need not
/// be aligned.
#[allow(clippy::missing_safety_doc)]
pub(crate) trait Vector: Copy + 'static {
    /// `f32` in a register: 4, 8 or 16.
    const LANES: usize;
    /// Values in one 32-bit word of an operand of [`accumulate`](Self::accumulate).
    const PER_WORD: usize = 1;
    /// Whether [`accumulate_lane`](Self::accumulate_lane) is one instruction, so that a register holds as many factors as it
    /// has lanes. Otherwise each factor is broadcast from memory, which is free where the multiply-add reads memory.
    const HAS_LANE_FACTORS: bool = false;

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// Loads values that were stored as operands of [`accumulate`](Self::accumulate): `LANES / PER_WORD` words.
    #[inline(always)]
    unsafe fn load_operand(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::load(from) }
    }
    /// Stores values as operands of [`accumulate`](Self::accumulate): `LANES / PER_WORD` words.
    #[inline(always)]
    unsafe fn store_operand(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { self.store(to) }
    }
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self * factor + sum`, rounded once where the instruction set has a fused instruction.
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
    /// Adds a product to a sum: `self * other + sum`, or both products where a word holds two values.
    #[inline(always)]
    unsafe fn accumulate(self, other: Self, sum: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe { self.mul_add(other, sum) }
    }
    /// As [`accumulate`](Self::accumulate), with one lane of `factors` in place of a vector of equal values.
    #[inline(always)]
    unsafe fn accumulate_lane<const LANE: i32>(self, factors: Self, sum: Self) -> Self {
        let mut lanes = [0.0; PANEL];
        // SAFETY: no vector is longer than a panel; otherwise the caller's promise.
        unsafe {
            factors.store(lanes.as_mut_ptr());
            Self::splat(lanes[LANE as usize]).accumulate(self, sum)
        }
    }
    /// Prefetches the cache line of an address, which may be any; a hint.
    #[inline(always)]
    unsafe fn prefetch(_address: *const f32) {}
    /// The larger one: `other` where both are equal, NaN where either is.
    unsafe fn max(self, other: Self) -> Self;
    /// The maximum of `self` and zero; NaN stays NaN.
    unsafe fn relu(self) -> Self;
    /// `self` where `gate` is positive or NaN, zero elsewhere: the gradient of [`relu`](Self::relu).
    unsafe fn gated_by(self, gate: Self) -> Self;
    /// Loads a byte for each lane, as its number.
    unsafe fn load_bytes(from: *const u8) -> Self;
    /// `self` in the lanes where `left` equals `right`, zero elsewhere.
    unsafe fn where_equal(self, left: Self, right: Self) -> Self;
}
