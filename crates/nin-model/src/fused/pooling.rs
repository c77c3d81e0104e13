//! Max pooling over panels by nin-kernels.

use std::sync::Arc;

use burn::tensor::TensorMetadata;
use burn::tensor::ops::FloatTensor;
use nin_kernels::{Cpu, PoolGeometry};

use super::host::Host;
use super::operation::FusedOperation;

/// A max pool; its operand is in panels.
#[derive(Debug, Clone)]
pub(crate) struct MaxPool {
    pub(crate) cpu: Cpu,
    pub(crate) geometry: PoolGeometry,
    /// `[batch, panels, pixels, 16]`
    pub(crate) output_shape: [usize; 4],
}

/// Contiguous 32-bit floats, as `operation::run` has made sure.
fn values<H: Host>(tensor: &FloatTensor<H>) -> &[f32] {
    H::values(tensor).expect("operands are contiguous 32-bit floats")
}

const LENGTHS: &str = "tensors have the lengths of their geometry";

impl FusedOperation<1> for MaxPool {
    /// Where in its window each maximum was.
    type Kept = Arc<[u8]>;

    fn forward<H: Host>(
        &self,
        [input]: &[FloatTensor<H>; 1],
        for_training: bool,
    ) -> (FloatTensor<H>, Arc<[u8]>) {
        let length = self.geometry.output_len();
        let mut output = vec![0.0; length];
        let mut positions = vec![0; if for_training { length } else { 0 }];
        let kept = for_training.then_some(positions.as_mut_slice());
        self.cpu
            .max_pool_forward(&self.geometry, values::<H>(input), &mut output, kept)
            .expect(LENGTHS);
        (H::tensor(output, &self.output_shape), positions.into())
    }

    fn backward<H: Host>(
        &self,
        [input]: &[FloatTensor<H>; 1],
        output: &FloatTensor<H>,
        positions: &Arc<[u8]>,
        gradient: &FloatTensor<H>,
        [wanted]: [bool; 1],
    ) -> [Option<FloatTensor<H>>; 1] {
        if !wanted {
            return [None];
        }
        let mut grad_input = vec![0.0; self.geometry.input_len()];
        self.cpu
            .max_pool_backward(
                &self.geometry,
                positions,
                values::<H>(gradient),
                // Every pool stands behind a ReLU, whose mask is cheapest at the pooled size.
                Some(values::<H>(output)),
                &mut grad_input,
            )
            .expect(LENGTHS);
        [Some(H::tensor(grad_input, &input.shape().to_vec()))]
    }
}
