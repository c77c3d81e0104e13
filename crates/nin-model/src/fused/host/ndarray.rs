//! Burn's ndarray backend.

use burn::tensor::TensorData;
use burn::tensor::TensorMetadata;
use burn_ndarray::{NdArray, NdArrayTensor};

use super::Host;

impl Host for NdArray<f32> {
    fn contiguous(tensor: NdArrayTensor) -> NdArrayTensor {
        if Self::values(&tensor).is_some() {
            return tensor;
        }
        let NdArrayTensor::F32(storage) = &tensor else {
            return tensor;
        };
        let values: Vec<f32> = storage.view().iter().copied().collect();
        Self::tensor(values, &tensor.shape().to_vec())
    }

    fn values(tensor: &NdArrayTensor) -> Option<&[f32]> {
        match tensor {
            NdArrayTensor::F32(storage) => storage.view().to_slice(),
            _ => None,
        }
    }

    fn tensor(values: Vec<f32>, shape: &[usize]) -> NdArrayTensor {
        NdArrayTensor::from_data(TensorData::new(values, shape.to_vec()))
    }
}
