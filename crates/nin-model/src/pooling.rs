//! Max pooling with PyTorch's output sizes by Burn's own operations: what every backend has.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::module::max_pool2d;

use crate::Pool;
use crate::shapes::pool_side;

/// `[batch, channels, height, width]` to `[batch, channels, height', width']`, sized as
/// `torch.nn.MaxPool2d` sizes it, in floor and in ceil mode.
///
/// Burn 0.21 keeps windows in ceil mode that PyTorch drops where there is padding, so the input is
/// padded here, by as much as PyTorch's windows reach, and pooled in floor mode.
///
/// # Panics
/// Where the window does not fit into the input, which [`crate::Architecture::shapes`] refuses.
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
    // The smallest finite number: WGSL has no literal for minus infinity.
    pooled(input.pad((padding, right, padding, bottom), f32::MIN), 0)
}

/// Pixels to add behind the last one so that floor mode gives the windows of ceil mode.
fn padding_behind(side: usize, pool: &Pool) -> usize {
    let windows = pool_side(side, pool).expect("shape inference refused smaller inputs");
    ((windows - 1) * pool.stride + pool.kernel).saturating_sub(side + pool.padding)
}
