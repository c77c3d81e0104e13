//! The bf16 interface: what a kernel requires of an instruction set that multiplies pairs of bf16.

use super::Vector;

/// A register of 32-bit words, each of two bf16. Words are typed as `f32`, but are only moved, never computed with.
///
/// Every function is unsafe for the reason given at [`Vector`].
#[allow(clippy::missing_safety_doc)]
pub(crate) trait Bf16: Vector {
    /// Adds both products of each lane to `sum`.
    unsafe fn dot_pairs(self, other: Self, sum: Self) -> Self;
    /// Rounds to bf16 and pairs neighbours: `(first[0], first[1])`, `(first[2], first[3])`, ..., then those of `second`.
    unsafe fn narrow(first: Self, second: Self) -> Self;
    /// Rounds to bf16 and stores half as many words, of neighbours.
    unsafe fn store_narrow(self, to: *mut f32);
    /// Loads the values of half as many words.
    unsafe fn load_wide(from: *const f32) -> Self;
    /// Pairs the values of the lower words with those of the upper ones, in order.
    unsafe fn interleave(self) -> Self;
    /// Rounds to bf16 and pairs lanes: `(low[0], high[0])`, `(low[1], high[1])`, ...
    #[inline(always)]
    unsafe fn zip(low: Self, high: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::narrow(low, high).interleave() }
    }
}

/// A piece of work that is compiled for each instruction set that multiplies pairs of bf16, as
/// [`Operation`](super::Operation) is for all.
pub(crate) trait Bf16Operation {
    /// Does the work.
    ///
    /// # Safety
    /// The CPU has the instruction set of `V`.
    unsafe fn run<V: Bf16>(self);
}
