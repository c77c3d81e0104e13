//! Class indices as a tensor.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

/// Moves classes to a device, `[batch]`.
pub(crate) fn targets<B: Backend>(labels: &[usize], device: &B::Device) -> Tensor<B, 1, Int> {
    let classes: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    Tensor::from_data(TensorData::new(classes, [labels.len()]), device)
}
