//! The int8 interface: what a kernel requires of an instruction set that multiplies bytes.

/// Sixteen 32-bit words, each of four bytes or of one sum.
///
/// Activations are unsigned bytes and weights signed ones. Sums are exact, so every instruction set has the same.
///
/// Every function is unsafe for the reason given at [`Vector`](super::Vector). Pointers need no alignment.
#[allow(clippy::missing_safety_doc)]
pub(crate) trait Int8: Copy + 'static {
    /// Pixels in a register tile.
    const ROWS: usize;
    /// Panels in a register tile.
    const PANELS: usize;

    unsafe fn zero() -> Self;
    /// Loads sixteen words.
    unsafe fn load(from: *const f32) -> Self;
    /// Loads one word into every lane, for [`dot_quads`](Self::dot_quads).
    unsafe fn broadcast(from: *const f32) -> Self;
    /// Adds the four products of each lane of `self`, which holds weights, and of `activations` to `sum`.
    unsafe fn dot_quads(self, activations: Self, sum: Self) -> Self;
    /// Stores `scale * sum + bias`, rounded to the nearest byte, ties to even, as four words. What is negative becomes zero.
    unsafe fn store_bytes(self, scale: *const f32, bias: *const f32, to: *mut f32);
    /// Stores the ReLU of `scale * sum + bias` as sixteen `f32`.
    unsafe fn store_floats(self, scale: *const f32, bias: *const f32, to: *mut f32);
    /// Stores `factor * value` of sixteen values, rounded as by [`store_bytes`](Self::store_bytes), as four words.
    unsafe fn quantize(from: *const f32, factor: f32, to: *mut f32);
}

/// A piece of work that is compiled for each instruction set that multiplies bytes, as [`Operation`](super::Operation) is
/// for all.
pub(crate) trait Int8Operation {
    /// Does the work.
    ///
    /// # Safety
    /// The CPU has the instruction set of `V`.
    unsafe fn run<V: Int8>(self);
}
