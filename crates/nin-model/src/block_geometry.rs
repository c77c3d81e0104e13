//! The sizes of a block on a batch, for the CPU kernels.

use nin_kernels::{ConvGeometry, Error, MlpconvGeometry};

use crate::Pool;

/// Returns the sizes of the three convolutions of a block and of its max pool, if it has one.
///
/// Channels are `[input, first, second, third]`, `size` is that of the input, `[height, width]`, and `[kernel, stride,
/// padding]` are those of the first convolution, the same along both axes.
///
/// # Errors
/// As [`ConvGeometry::new`] and [`MlpconvGeometry::with_max_pool`].
pub(crate) fn block_geometry(
    batch: usize,
    [input, first, second, third]: [usize; 4],
    size: [usize; 2],
    [kernel, stride, padding]: [usize; 3],
    pool: Option<&Pool>,
) -> Result<MlpconvGeometry, Error> {
    let convolution =
        ConvGeometry::new(batch, [input, first], size, [kernel; 2], [stride; 2], [padding; 2])?;
    let block = MlpconvGeometry::new(convolution, [second, third])?;
    match pool {
        None => Ok(block),
        Some(&Pool { kernel, stride, padding, ceil_mode }) => {
            block.with_max_pool([kernel; 2], [stride; 2], [padding; 2], ceil_mode)
        }
    }
}
