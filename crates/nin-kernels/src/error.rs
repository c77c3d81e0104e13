//! What these kernels refuse.

use crate::cpu::Isa;

/// A refused size, slice or instruction set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size that must be at least one is zero.
    #[error("`{name}` must be at least 1")]
    Zero {
        /// The size's name.
        name: &'static str,
    },
    /// The kernel does not fit into the padded input.
    #[error(
        "a kernel of {kernel} does not fit an input of {input} padded by {padding} on both sides"
    )]
    KernelTooLarge {
        /// Kernel size along the axis, in pixels.
        kernel: usize,
        /// Input size along the axis, in pixels.
        input: usize,
        /// Padding on each side, in pixels.
        padding: usize,
    },
    /// A pooling window that would lie wholly in the padding, or has more than 256 positions.
    #[error(
        "a pooling window of {window:?} with stride {stride:?}, padding {padding:?} and output {output:?} is not supported on an input of {input:?}"
    )]
    Pool {
        /// Window, `[height, width]`.
        window: [usize; 2],
        /// Stride, `[height, width]`.
        stride: [usize; 2],
        /// Padding on each side, `[height, width]`.
        padding: [usize; 2],
        /// Input size, `[height, width]`.
        input: [usize; 2],
        /// Output size, `[height, width]`.
        output: [usize; 2],
    },
    /// The sizes overflow what can be addressed.
    #[error("these sizes overflow the address space")]
    TooLarge,
    /// A slice has another length than the geometry says.
    #[error("`{name}` has {found} values, expected {expected}")]
    Length {
        /// The slice's name.
        name: &'static str,
        /// Values that the geometry asks for.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// The CPU cannot run the instruction set asked for.
    #[error("this CPU does not have `{isa}`")]
    IsaMissing {
        /// The instruction set asked for.
        isa: Isa,
    },
    /// `NIN_CPU` names no instruction set.
    #[error(
        "`NIN_CPU` is `{found}`, expected one of {}",
        Isa::ALL.map(|isa| format!("`{isa}`")).join(", ")
    )]
    IsaUnknown {
        /// What was found.
        found: String,
    },
    /// The threads could not be started.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// What the system said.
        reason: String,
    },
}

/// Checks a slice's length.
pub(crate) fn expect_len(name: &'static str, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::Length { name, expected, found }) }
}
