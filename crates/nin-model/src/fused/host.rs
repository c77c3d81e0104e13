//! Backends with tensors in host memory.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

/// A backend that gives access to its tensors as slices of 32-bit floats.
pub(crate) trait Host: Backend {
    /// Makes the values of a tensor contiguous, in row-major order.
    fn contiguous(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Returns the values of a tensor if they are contiguous, in row-major order, and 32-bit floats.
    fn values(tensor: &FloatTensor<Self>) -> Option<&[f32]>;

    /// Creates a tensor from values in row-major order.
    fn tensor(values: Vec<f32>, shape: &[usize]) -> FloatTensor<Self>;
}

#[cfg(feature = "ndarray")]
mod ndarray {
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
}

#[cfg(feature = "flex")]
mod flex {
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
}
