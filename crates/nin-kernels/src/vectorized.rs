//! Plain Rust, compiled once for each instruction set.

use std::sync::OnceLock;

use crate::arch::generic::Vector;
use crate::arch::{Arch, Operation};
use crate::cpu::Isa;

/// Work on integers that the compiler vectorizes for each instruction set.
pub trait Vectorize {
    /// What it gives back.
    type Output;

    /// The work. `#[inline(always)]` in every implementation, and so is all that it calls: what is not
    /// inlined is compiled once, for any CPU.
    fn run(self) -> Self::Output;
}

/// Does the work with the vectors of this CPU, or with those that `NIN_CPU` names.
///
/// The result is the same on all of them: integers do not round, and of floats no order is changed.
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
    // Whoever starts a network says what is wrong with NIN_CPU; here plain Rust does.
    let arch = ARCH.get_or_init(|| Isa::detect().and_then(Arch::new).unwrap_or(Arch::Portable));
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
