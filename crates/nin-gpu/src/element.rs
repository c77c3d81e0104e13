//! The types of the values in buffers and products.

use cubecl::ir::{ElemType, FloatKind, StorageType};
use cubecl::prelude::*;

/// The type of the values in a buffer, or of the factors of a product.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Element {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit floats of IEEE 754, up to 65,504.
    F16,
}

impl Element {
    /// Returns whether kernels on the device can use the type.
    pub fn is_supported<R: Runtime>(self, client: &ComputeClient<R>) -> bool {
        client.properties().supports_type(self.storage())
    }

    /// Returns the bytes of a value.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    pub(crate) fn storage(self) -> StorageType {
        let kind = match self {
            Self::F32 => FloatKind::F32,
            Self::F16 => FloatKind::F16,
        };
        StorageType::Scalar(ElemType::Float(kind))
    }

    /// Returns the bytes of a buffer. WebGPU wants whole words.
    pub(crate) fn bytes(self, len: usize) -> usize {
        (len * self.size()).next_multiple_of(4)
    }
}

/// The types in a convolution. Weights, biases, their gradients and all sums are 32-bit floats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Elements {
    /// The factors of the direct algorithm, in workgroup memory. Winograd's algorithm multiplies 32-bit floats.
    pub factors: Element,
    /// The input, which is the gate of its gradient, and the gradient.
    pub input: Element,
    /// The output and its gradient.
    pub output: Element,
}
