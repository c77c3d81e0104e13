//! What the layers of a network cost on a GPU.

use nin_gpu::{Cost, Error, Pass, Window};

use super::block::GpuBlock;
use super::switch::element;
use crate::{Architecture, Precision};

/// What a layer costs on a GPU, counted from its sizes. Dropout, the mean of the class maps, the loss and the optimizer are not
/// counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuLayer {
    /// The layer: `5x5 96->256`, `1x1 256->256`, `max pool 3x3`, `ReLU`.
    pub layer: String,
    /// The number of its block, from 1.
    pub block: usize,
    /// The size of the output, `[height, width]`.
    pub output_size: [usize; 2],
    /// What the forward pass costs.
    pub forward: Cost,
    /// What the backward pass costs.
    pub backward: Cost,
}

/// Returns the layers of a network in a precision, first to last, on a batch of images of `[channels, height, width]`.
///
/// # Errors
/// As [`nin_gpu::ConvGeometry::new`] and [`nin_gpu::PoolGeometry::new`].
pub fn gpu_layers(
    architecture: &Architecture,
    [_, height, width]: [usize; 3],
    batch: usize,
    precision: Precision,
) -> Result<Vec<GpuLayer>, Error> {
    let mut size = [height, width];
    let mut layers = Vec::new();
    for (index, (block, channels)) in architecture.block_channels().enumerate() {
        let window = Window { kernel: block.kernel, stride: block.stride, padding: block.padding };
        let on_gpu = GpuBlock::new(batch, channels, size, window, block.pool.as_ref())?
            .with_element(element(precision));
        for (layer, convolution) in on_gpu.convolutions.iter().enumerate() {
            let kernel = if layer == 0 { block.kernel } else { 1 };
            let wants_input = index > 0 || layer > 0;
            let mut backward = convolution.cost(Pass::WeightGradient);
            if wants_input {
                backward = backward + convolution.cost(Pass::InputGradient);
            }
            layers.push(GpuLayer {
                layer: format!("{kernel}x{kernel} {}->{}", channels[layer], channels[layer + 1]),
                block: index + 1,
                output_size: convolution.geometry().output_size(),
                forward: convolution.cost(Pass::Forward),
                backward,
            });
        }
        size = on_gpu.output_size();
        let pools = block.pool.as_ref().zip(on_gpu.pool.as_ref());
        let (layer, forward, backward) = if let Some((pool, geometry)) = pools {
            let layer = format!("max pool {0}x{0}", pool.kernel);
            (layer, geometry.cost(), geometry.gradient_cost())
        } else {
            let len = on_gpu.output_shape.iter().product();
            ("ReLU".to_owned(), Cost::default(), nin_gpu::relu_gradient_cost(len))
        };
        layers.push(GpuLayer { layer, block: index + 1, output_size: size, forward, backward });
    }
    Ok(layers)
}
