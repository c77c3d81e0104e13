//! Activations between layers: planes, as in Burn, or the channel panels of the CPU kernels.
//!
//! Images are planes. The first block on a CPU backend writes panels, and activations stay in panels until the global
//! average pool: no layer converts its input.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Channels in a panel.
#[cfg(any(feature = "flex", feature = "ndarray"))]
pub(crate) const PANEL: usize = nin_kernels::PANEL;
#[cfg(not(any(feature = "flex", feature = "ndarray")))]
pub(crate) const PANEL: usize = 16;

/// The output of a layer.
#[derive(Debug, Clone)]
pub(crate) enum Activations<B: Backend> {
    /// `[batch, channels, height, width]`
    Planes(Tensor<B, 4>),
    /// `[batch, panels of 16 channels, pixels, 16]`; channels that pad the last panel are zero.
    Panels {
        /// The panels.
        tensor: Tensor<B, 4>,
        /// The number of channels, without padding.
        channels: usize,
        /// `[height, width]`
        size: [usize; 2],
    },
}

impl<B: Backend> Activations<B> {
    /// Returns the shape as `[batch, channels, height, width]`.
    pub(crate) fn dims(&self) -> [usize; 4] {
        match self {
            Self::Planes(tensor) => tensor.dims(),
            Self::Panels { tensor, channels, size: [height, width] } => {
                [tensor.dims()[0], *channels, *height, *width]
            }
        }
    }

    /// Returns the tensor, in either layout.
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    pub(crate) fn tensor(&self) -> &Tensor<B, 4> {
        match self {
            Self::Planes(tensor) | Self::Panels { tensor, .. } => tensor,
        }
    }

    /// Converts to `[batch, channels, height, width]`.
    pub(crate) fn into_planes(self) -> Tensor<B, 4> {
        match self {
            Self::Planes(tensor) => tensor,
            Self::Panels { tensor, channels, size: [height, width] } => {
                let [batch, panels, _, _] = tensor.dims();
                tensor
                    .swap_dims(2, 3) // [batch, panels, 16, pixels]
                    .reshape([batch, panels * PANEL, height, width])
                    .narrow(1, 0, channels)
            }
        }
    }

    /// Returns the mean of each channel's map, `[batch, channels]`.
    pub(crate) fn mean_of_maps(self) -> Tensor<B, 2> {
        match self {
            Self::Planes(tensor) => {
                let [batch, channels, _, _] = tensor.dims();
                #[cfg(feature = "wgpu")]
                let tensor = match gpu_means(tensor) {
                    Ok(means) => return means,
                    Err(tensor) => tensor,
                };
                tensor.flatten::<3>(2, 3).mean_dim(2).reshape([batch, channels])
            }
            Self::Panels { tensor, channels, .. } => {
                let [batch, panels, _, _] = tensor.dims();
                #[cfg(any(feature = "flex", feature = "ndarray"))]
                let tensor = match host_means(tensor, channels) {
                    Ok(means) => return means,
                    Err(tensor) => tensor,
                };
                tensor.mean_dim(2).reshape([batch, panels * PANEL]).narrow(1, 0, channels)
            }
        }
    }

    /// Multiplies each value by its factor. `factors` are `[batch, channels, height, width]` in either layout.
    pub(crate) fn scaled_by(self, factors: Vec<f32>) -> Self {
        let dims = self.dims();
        match self {
            Self::Planes(tensor) => {
                let factors = tensor_of(factors, dims, &tensor);
                Self::Planes(tensor * factors)
            }
            Self::Panels { tensor, channels, size } => {
                let shape = tensor.dims();
                let factors = tensor_of(into_panels(&factors, dims), shape, &tensor);
                Self::Panels { tensor: tensor * factors, channels, size }
            }
        }
    }
}

/// Computes the mean of each map by nin-gpu on wgpu; otherwise returns the maps.
#[cfg(feature = "wgpu")]
fn gpu_means<B: Backend>(maps: Tensor<B, 4>) -> Result<Tensor<B, 2>, Tensor<B, 4>> {
    use crate::operation::{primitive, tensor};

    let dims = maps.dims();
    crate::gpu::map_means::<B>(dims, primitive(maps)).map(tensor).map_err(tensor)
}

/// Computes the mean of each map, in panels, on a CPU backend; otherwise returns the panels.
#[cfg(any(feature = "flex", feature = "ndarray"))]
fn host_means<B: Backend>(
    panels: Tensor<B, 4>,
    channels: usize,
) -> Result<Tensor<B, 2>, Tensor<B, 4>> {
    use crate::fused::{self, MapMeans};
    use crate::operation::{primitive, tensor};

    let [batch, _, pixels, _] = panels.dims();
    let operation = MapMeans { shape: [batch, channels, pixels] };
    fused::run::<B, _, 1>(&operation, [primitive(panels)])
        .map(tensor)
        .map_err(|[panels]| tensor(panels))
}

fn tensor_of<B: Backend>(values: Vec<f32>, shape: [usize; 4], like: &Tensor<B, 4>) -> Tensor<B, 4> {
    Tensor::from_data(burn::tensor::TensorData::new(values, shape), &like.device())
}

/// Converts `[batch, channels, pixels]` to panels.
fn into_panels(planes: &[f32], [batch, channels, height, width]: [usize; 4]) -> Vec<f32> {
    let pixels = height * width;
    let panels = channels.div_ceil(PANEL);
    let mut laid = vec![0.0; batch * panels * pixels * PANEL];
    for (plane, values) in planes.chunks_exact(pixels).enumerate() {
        let (image, channel) = (plane / channels, plane % channels);
        let start = (image * panels + channel / PANEL) * pixels * PANEL + channel % PANEL;
        for (pixel, &value) in values.iter().enumerate() {
            laid[start + pixel * PANEL] = value;
        }
    }
    laid
}
