//! The choice of a convolution algorithm.

/// Which algorithm computes convolutions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Tiles of bf16 where the context has them, otherwise the algorithm that a cost model predicts to be faster.
    #[default]
    Auto,
    /// The direct algorithm everywhere.
    Direct,
    /// Winograd's algorithm wherever it applies (3x3 and 5x5 kernels of stride one over panels), even where it is
    /// slower.
    Winograd,
}
