//! The errors of the kernels.

use crate::isa::Isa;

/// A size, slice or instruction set that the kernels reject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size is zero that must be at least one.
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
    /// A pooling window lies entirely in the padding, or has more than 256 positions.
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
    /// The sizes overflow the address space.
    #[error("these sizes overflow the address space")]
    TooLarge,
    /// A slice has the wrong length for the geometry.
    #[error("`{name}` has {found} values, expected {expected}")]
    Length {
        /// The slice's name.
        name: &'static str,
        /// Values that the geometry requires.
        expected: usize,
        /// Values in the slice.
        found: usize,
    },
    /// This CPU lacks the instruction set.
    #[error("this CPU does not have `{isa}`")]
    IsaMissing {
        /// The instruction set.
        isa: Isa,
    },
    /// No instruction set has this name.
    #[error(
        "no instruction set is called `{found}`, expected one of {}",
        Isa::ALL.map(|isa| format!("`{isa}`")).join(", ")
    )]
    IsaUnknown {
        /// The name.
        found: String,
    },
    /// The threads did not start.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// How many threads.
        threads: usize,
        /// The message of the operating system.
        reason: String,
    },
}

/// Checks a slice's length.
pub(crate) fn expect_len(name: &'static str, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::Length { name, expected, found }) }
}
