//! The types of the values in buffers and products.

use cubecl::ir::{ElemType, FloatKind, StorageType};
use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::Error;
use crate::buffer::check_lens;

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

    /// Checks the length of a buffer.
    pub(crate) fn check(
        self,
        what: &'static str,
        buffer: &Handle,
        len: usize,
    ) -> Result<(), Error> {
        let found = buffer.size_in_used();
        if found < self.bytes(len) as u64 {
            let (found, expected) = (found / self.size() as u64, len as u64);
            return Err(Error::Length { what, found, expected });
        }
        Ok(())
    }

    /// Allocates a buffer.
    pub(crate) fn allocate<R: Runtime>(
        self,
        client: &ComputeClient<R>,
        what: &'static str,
        len: usize,
    ) -> Result<Handle, Error> {
        check_lens(client, &[(what, len)])?;
        Ok(client.empty(self.bytes(len)))
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
