//! Whether a device can train in a precision.

use burn::tensor::backend::Backend;

use crate::{ModelError, Precision};

/// Checks that a device can train in a precision. Every device can in bf16: where there is none, it is fp32.
///
/// # Errors
/// [`ModelError::NoF16`]
pub fn check_precision<B: Backend>(
    precision: Precision,
    device: &B::Device,
) -> Result<(), ModelError> {
    #[cfg(feature = "wgpu")]
    let missing = crate::gpu::missing_for_f16::<B>(device);
    #[cfg(not(feature = "wgpu"))]
    let missing = {
        let _ = device;
        Some("a GPU, and this program was built without wgpu")
    };
    match missing {
        Some(missing) if precision == Precision::F16 => Err(ModelError::NoF16 { missing }),
        _ => Ok(()),
    }
}
