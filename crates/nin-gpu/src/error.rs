//! The errors of this crate.

/// Why a kernel does not run. Nothing was launched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel does not fit into the padded input, or a size is zero.
    #[error("no convolution or pool with {reason}")]
    Geometry {
        /// What is wrong with the sizes.
        reason: String,
    },
    /// A buffer or an index would exceed what the device or 32-bit arithmetic allows.
    #[error("{what} has {size} values, and the limit is {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        size: u64,
        /// The largest possible size.
        limit: u64,
    },
    /// A buffer has another length than the geometry says.
    #[error("{what} has {found} values instead of {expected}")]
    Length {
        /// The buffer.
        what: &'static str,
        /// Its number of values.
        found: u64,
        /// The number of values of the geometry.
        expected: u64,
    },
    /// A tile that not every adapter can use.
    #[error("no kernel has the tile {tile}")]
    Tile {
        /// The tile.
        tile: String,
    },
}
