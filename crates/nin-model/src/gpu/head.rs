//! What follows the blocks, by nin-gpu: the global average pool and the cross-entropy.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::Wgpu;
use nin_gpu::{CrossEntropy, MapMean};

use super::buffers::{GpuTensor, tensor_on};
use super::switch::is_used;
use crate::operation::{Operation, run_on};

/// The kernels check sizes, which are those of tensors on the device.
const FITS: &str = "the outputs are no larger than the tensors that are there";

/// Computes the mean of each map, `[batch, channels]`, if `B` is wgpu; otherwise returns the maps,
/// `[batch, channels, height, width]`.
pub(crate) fn map_means<B: Backend>(
    [batch, channels, height, width]: [usize; 4],
    maps: FloatTensor<B>,
) -> Result<FloatTensor<B>, FloatTensor<B>> {
    if !is_used() {
        return Err(maps);
    }
    let mean = MapMean { maps: batch * channels, pixels: height * width };
    let operation = GpuMapMeans { mean, means_shape: [batch, channels] };
    run_on::<B, Wgpu, _, 1>(&operation, [maps]).map_err(|[maps]| maps)
}

/// Computes the loss of each image, `[images]`, from logits and factors, `[images, classes]`, if `B` is wgpu; otherwise returns
/// `None`.
pub(crate) fn cross_entropy<B: Backend>(
    [images, classes]: [usize; 2],
    operands: [FloatTensor<B>; 2],
) -> Option<FloatTensor<B>> {
    let operation = GpuCrossEntropy(CrossEntropy { images, classes });
    run_on::<B, Wgpu, _, 2>(&operation, operands).ok()
}

#[derive(Debug, Clone)]
struct GpuMapMeans {
    mean: MapMean,
    means_shape: [usize; 2],
}

impl Operation<Wgpu, 1> for GpuMapMeans {
    type Saved = ();

    fn lay_out(tensor: GpuTensor) -> GpuTensor {
        into_contiguous(tensor)
    }

    fn forward(&self, [maps]: &[GpuTensor; 1], _for_training: bool) -> (GpuTensor, ()) {
        let means = self.mean.means(&maps.client, &maps.handle).expect(FITS);
        (tensor_on(maps, means, self.means_shape.into()), ())
    }

    fn backward(
        &self,
        [maps]: &[GpuTensor; 1],
        _output: &GpuTensor,
        (): &(),
        gradient: &GpuTensor,
        wanted: [bool; 1],
    ) -> [Option<GpuTensor>; 1] {
        wanted.map(|is_wanted| {
            is_wanted.then(|| {
                let of_maps = self.mean.gradient(&maps.client, &gradient.handle).expect(FITS);
                tensor_on(maps, of_maps, maps.meta.shape().clone())
            })
        })
    }
}

/// The cross-entropy as an operation. The factors have no gradient.
#[derive(Debug, Clone)]
struct GpuCrossEntropy(CrossEntropy);

impl Operation<Wgpu, 2> for GpuCrossEntropy {
    type Saved = ();

    fn lay_out(tensor: GpuTensor) -> GpuTensor {
        into_contiguous(tensor)
    }

    fn forward(&self, operands: &[GpuTensor; 2], _for_training: bool) -> (GpuTensor, ()) {
        let [logits, _] = operands;
        let handles = operands.each_ref().map(|operand| &operand.handle);
        let losses = self.0.losses(&logits.client, handles).expect(FITS);
        (tensor_on(logits, losses, [self.0.images].into()), ())
    }

    fn backward(
        &self,
        [logits, factors]: &[GpuTensor; 2],
        _output: &GpuTensor,
        (): &(),
        gradient: &GpuTensor,
        [of_logits, _]: [bool; 2],
    ) -> [Option<GpuTensor>; 2] {
        let of_logits = of_logits.then(|| {
            let handles = [logits, factors, gradient].map(|tensor| &tensor.handle);
            let of_logits = self.0.gradient(&logits.client, handles).expect(FITS);
            tensor_on(logits, of_logits, logits.meta.shape().clone())
        });
        [of_logits, None]
    }
}
