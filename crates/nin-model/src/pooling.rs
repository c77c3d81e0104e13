//! Max pooling with PyTorch's output sizes: the one place from which the network calls it.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::module::max_pool2d;

use crate::Pool;
use crate::activations::Activations;
use crate::shapes::pool_side;

/// Max pooling, sized as `torch.nn.MaxPool2d` sizes it, in floor and in ceil mode.
///
/// # Panics
/// Where the window does not fit into the input, which [`crate::Architecture::shapes`] refuses.
pub(crate) fn max_pool<B: Backend>(input: Activations<B>, pool: &Pool) -> Activations<B> {
    match input {
        Activations::Planes(tensor) => Activations::Planes(pool_planes(tensor, pool)),
        #[cfg(feature = "kernels")]
        panels @ Activations::Panels { .. } => match pool_panels(panels, pool) {
            Ok(output) => output,
            Err(panels) => Activations::Planes(pool_planes(panels.into_planes(), pool)),
        },
        #[cfg(not(feature = "kernels"))]
        panels @ Activations::Panels { .. } => {
            Activations::Planes(pool_planes(panels.into_planes(), pool))
        }
    }
}

/// `[batch, channels, height, width]` to `[batch, channels, height', width']`, by Burn.
///
/// Burn 0.21 keeps windows in ceil mode that PyTorch drops where there is padding, so the input is
/// padded here, by as much as PyTorch's windows reach, and pooled in floor mode.
fn pool_planes<B: Backend>(input: Tensor<B, 4>, pool: &Pool) -> Tensor<B, 4> {
    let Pool {
        kernel,
        stride,
        padding,
        ceil_mode,
    } = *pool;
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

/// The same over panels by nin-kernels, where the backend is one that it serves.
#[cfg(feature = "kernels")]
fn pool_panels<B: Backend>(
    input: Activations<B>,
    pool: &Pool,
) -> Result<Activations<B>, Activations<B>> {
    use crate::activations::{PANEL, primitive, tensor as to_tensor};
    use crate::fused::{self, MaxPool};

    let [batch, channels, height, width] = input.dims();
    let size = [height, width].map(|side| pool_side(side, pool));
    let ([Some(out_height), Some(out_width)], Activations::Panels { tensor, .. }) = (size, &input)
    else {
        return Err(input);
    };
    let geometry = nin_kernels::PoolGeometry::with_output(
        batch,
        channels,
        [height, width],
        [pool.kernel; 2],
        [pool.stride; 2],
        [pool.padding; 2],
        [out_height, out_width],
    );
    let (Ok(geometry), Ok(cpu)) = (geometry, nin_kernels::Cpu::shared()) else {
        return Err(input);
    };
    let size = [out_height, out_width];
    let output_shape = [
        batch,
        channels.div_ceil(PANEL),
        out_height * out_width,
        PANEL,
    ];
    let operation = MaxPool {
        cpu,
        geometry,
        output_shape,
    };
    match fused::run::<B, _, 1>(&operation, [primitive(tensor.clone())]) {
        Ok(output) => Ok(Activations::Panels {
            tensor: to_tensor(output),
            channels,
            size,
        }),
        Err(_) => Err(input),
    }
}
