//! Plain Rust that is compiled once for each instruction set.

use std::sync::OnceLock;

use crate::arch::{Arch, Operation, Vector};
use crate::context::Context;

/// A piece of work on integers that the compiler vectorizes for each instruction set.
pub trait Vectorize {
    /// The result.
    type Output;

    /// Does the work. Every implementation is `#[inline(always)]`, and so is every function that it calls: a function that
    /// is not inlined is compiled for the baseline CPU.
    fn run(self) -> Self::Output;
}

/// Runs the work with the vectors of [`Context::shared_isa`], as it is on the first call.
///
/// The result does not depend on the instruction set: integers do not round, and the compiler does not reorder floats.
///
/// ```
/// use nin_kernels::{Vectorize, vectorized};
///
/// struct SumOfSquares<'a>(&'a [u32]);
///
/// impl Vectorize for SumOfSquares<'_> {
///     type Output = u32;
///
///     #[inline(always)]
///     fn run(self) -> u32 {
///         self.0.iter().map(|value| value * value).sum()
///     }
/// }
///
/// assert_eq!(vectorized(SumOfSquares(&[1, 2, 3])), 14);
/// ```
#[inline]
pub fn vectorized<W: Vectorize>(work: W) -> W::Output {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    let arch = ARCH.get_or_init(|| Arch::new(Context::shared_isa()).unwrap_or(Arch::BASELINE));
    arch.run(Work(work))
}

struct Work<W>(W);

impl<W: Vectorize> Operation for Work<W> {
    type Output = W::Output;

    #[inline(always)]
    unsafe fn run<V: Vector>(self) -> W::Output {
        self.0.run()
    }
}
