//! What happens to a sum of products before it is stored.

use crate::arch::Vector;

/// The last step of a multiplication.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Epilogue<'a> {
    /// Stores the sums.
    Store,
    /// Stores their ReLU.
    Relu,
    /// Stores their ReLU as the operand of another product of the same number format.
    ReluOperand,
    /// Stores zero wherever this slice, an operand laid out as the output, is not positive: the gradient of a ReLU with this
    /// output.
    Gate(&'a [f32]),
}

/// [`Epilogue::Store`] as a constant.
pub(super) const STORE: u8 = 0;
/// [`Epilogue::Relu`] as a constant.
pub(super) const RELU: u8 = 1;
/// [`Epilogue::Gate`] as a constant.
pub(super) const GATE: u8 = 2;
/// [`Epilogue::ReluOperand`] as a constant.
pub(super) const RELU_OPERAND: u8 = 3;

/// Applies an epilogue to a vector of sums. `gate` is only read if `EPILOGUE` is [`GATE`].
///
/// # Safety
/// The CPU has `V`, and `gate` is valid for a vector if it is read.
#[inline(always)]
pub(super) unsafe fn apply<V: Vector, const EPILOGUE: u8>(sum: V, gate: *const f32) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        match EPILOGUE {
            RELU | RELU_OPERAND => sum.relu(),
            GATE => sum.gated_by(V::load_operand(gate)),
            _ => sum,
        }
    }
}
