//! Max pooling by Burn's own operations, with PyTorch's output sizes, for any backend.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::module::max_pool2d;

use crate::Pool;
use crate::shapes::pool_side;

/// Pools `[batch, channels, height, width]` into `[batch, channels, height', width']`, with the sizes of
/// `torch.nn.MaxPool2d` in floor and in ceil mode.
///
/// With padding, Burn 0.21 keeps windows in ceil mode that PyTorch drops. So this pads the input as far as PyTorch's windows
/// extend, and pools in floor mode.
///
/// # Panics
/// Where the window does not fit into the input, which [`crate::Architecture::shapes`] rejects.
pub(crate) fn max_pool<B: Backend>(input: Tensor<B, 4>, pool: &Pool) -> Tensor<B, 4> {
    let Pool { kernel, stride, padding, ceil_mode } = *pool;
    let pooled =
        |input, padding| max_pool2d(input, [kernel; 2], [stride; 2], [padding; 2], [1, 1], false);
    if !ceil_mode {
        return pooled(input, padding);
    }
    let [_, _, height, width] = input.dims();
    let bottom = padding_behind(height, pool);
    let right = padding_behind(width, pool);
    // The smallest finite number, because WGSL has no literal for minus infinity.
    pooled(input.pad((padding, right, padding, bottom), f32::MIN), 0)
}

/// Returns the padding after the last pixel with which floor mode has the windows of ceil mode.
fn padding_behind(side: usize, pool: &Pool) -> usize {
    let windows = pool_side(side, pool).expect("shape inference rejects smaller inputs");
    ((windows - 1) * pool.stride + pool.kernel).saturating_sub(side + pool.padding)
}
