//! A tensor in host memory.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::{ModelError, check_device};

/// One tensor of 32-bit floats in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// The length of each dimension.
    pub shape: Vec<usize>,
    /// The values, as many as the product of the shape.
    pub values: Vec<f32>,
}

impl HostTensor {
    /// Reads a tensor from its device. An error mentions `name`.
    ///
    /// # Errors
    /// [`ModelError::DeviceFailed`] if the device failed, and [`ModelError::Device`] where the tensor does not hold
    /// 32-bit floats.
    pub fn read<B: Backend, const D: usize>(
        name: &str,
        tensor: &Tensor<B, D>,
    ) -> Result<Self, ModelError> {
        check_device::<B>(&tensor.device())?;
        let failed = |reason: String| ModelError::Device { name: name.to_owned(), reason };
        let data = tensor.clone().try_into_data().map_err(|error| failed(format!("{error:?}")))?;
        let values = data.to_vec::<f32>().map_err(|error| failed(format!("{error:?}")))?;
        Ok(Self { shape: tensor.dims().to_vec(), values })
    }
}
