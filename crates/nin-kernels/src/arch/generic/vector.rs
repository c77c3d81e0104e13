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

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self * factor + sum`, rounded once where the instruction set can.
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
    /// Brings the cache line of an address nearer, if there is any; reads nothing. Any address will do.
    #[inline(always)]
    unsafe fn prefetch(_address: *const f32) {}
    /// The larger of `self` and zero; NaN stays NaN.
    unsafe fn relu(self) -> Self;
    /// `self` where `gate` is positive or NaN, zero elsewhere: the gradient of [`relu`](Self::relu).
    unsafe fn gated_by(self, gate: Self) -> Self;
}
