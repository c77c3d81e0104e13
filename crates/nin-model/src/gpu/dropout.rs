//! Dropout by nin-gpu.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::Wgpu;
use nin_gpu::Dropout;

use super::buffers::{GpuTensor, tensor_on};
use super::switch::is_used;
use crate::operation::{Operation, run_on};

/// Runs dropout if `B` is wgpu; otherwise returns the operand.
pub(crate) fn dropout<B: Backend>(
    dropout: Dropout,
    input: FloatTensor<B>,
) -> Result<FloatTensor<B>, FloatTensor<B>> {
    if !is_used() {
        return Err(input);
    }
    run_on::<B, Wgpu, _, 1>(&GpuDropout(dropout), [input]).map_err(|[input]| input)
}

/// Dropout as an operation. Its gradient is dropped like its input.
#[derive(Debug, Clone)]
struct GpuDropout(Dropout);

impl GpuDropout {
    fn apply(&self, values: &GpuTensor) -> GpuTensor {
        let (len, shape) = (values.meta.num_elements(), values.meta.shape().clone());
        let dropped = self.0.apply(&values.client, len, &values.handle);
        tensor_on(values, dropped.expect("the output is as large as the input"), shape)
    }
}

impl Operation<Wgpu, 1> for GpuDropout {
    type Saved = ();

    fn lay_out(tensor: GpuTensor) -> GpuTensor {
        into_contiguous(tensor)
    }

    fn forward(&self, [input]: &[GpuTensor; 1], _for_training: bool) -> (GpuTensor, ()) {
        (self.apply(input), ())
    }

    fn backward(
        &self,
        _operands: &[GpuTensor; 1],
        _output: &GpuTensor,
        (): &(),
        gradient: &GpuTensor,
        wanted: [bool; 1],
    ) -> [Option<GpuTensor>; 1] {
        wanted.map(|is_wanted| is_wanted.then(|| self.apply(gradient)))
    }
}
