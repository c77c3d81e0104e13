//! What a kernel asks of an instruction set.

/// A register of `f32`.
///
/// Every function is unsafe for one reason: the CPU must have the instruction set, which [`Arch`](crate::arch::Arch)
/// proves at the one place where it is entered. `load` and `store` also ask for [`LANES`](Self::LANES) values at the
/// pointer; it need not be aligned.
#[allow(clippy::missing_safety_doc)]
pub(crate) trait Vector: Copy + 'static {
    /// Values in a register: 8 or 16.
    const LANES: usize;
    /// Values that one word of an operand of [`accumulate`](Self::accumulate) holds.
    const PER_WORD: usize = 1;

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self * factor + sum`, rounded once where the instruction set can.
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
    /// One step of a sum of products: `self * other + sum`, or the products of a word's two values.
    #[inline(always)]
    unsafe fn accumulate(self, other: Self, sum: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe { self.mul_add(other, sum) }
    }
    /// Brings the cache line of an address nearer, if there is any; reads nothing. Any address will do.
    #[inline(always)]
    unsafe fn prefetch(_address: *const f32) {}
    /// The larger of `self` and zero; NaN stays NaN.
    unsafe fn relu(self) -> Self;
    /// `self` where `gate` is positive or NaN, zero elsewhere: the gradient of [`relu`](Self::relu).
    unsafe fn gated_by(self, gate: Self) -> Self;
}
