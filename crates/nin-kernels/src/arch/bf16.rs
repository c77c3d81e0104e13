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
    /// Rounds to bf16 and pairs lanes: `(low[0], high[0])`, `(low[1], high[1])`, ...
    unsafe fn zip(low: Self, high: Self) -> Self;
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
