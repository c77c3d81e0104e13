//! Burn's flex backend.

use burn::tensor::TensorData;
use burn_flex::{Flex, FlexTensor};

use super::Host;

impl Host for Flex {
    fn contiguous(tensor: FlexTensor) -> FlexTensor {
        if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
    }

    fn values(tensor: &FlexTensor) -> Option<&[f32]> {
        tensor.as_slice::<f32>()
    }

    fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
        FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
    }
}
