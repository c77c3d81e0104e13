//! Errors of exporting and importing a network.

use nin_model::{ModelError, Weights};
use thiserror::Error;

/// An export or import that failed.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The weights do not match the architecture.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// ONNX cannot express a layer.
    #[error("{layer} cannot be written as ONNX: {reason}")]
    NotInOnnx {
        /// The layer.
        layer: String,
        /// Why ONNX cannot express it.
        reason: &'static str,
    },
    /// The network whitens its images with a matrix that only nin's own files can hold.
    #[error("the network's ZCA whitening cannot be exported to this format")]
    Whitening,
    /// The weights are int8, which the other format cannot hold.
    #[error("int8 weights cannot be converted")]
    Int8,
    /// The weights exceed the 2 GiB limit of a protobuf message.
    #[error("the weights take {bytes} bytes, but an ONNX file holds at most {limit}")]
    TooLargeForOnnx {
        /// Size of the weights, in bytes.
        bytes: u64,
        /// The most bytes of weights that fit.
        limit: u64,
    },
}

impl ExchangeError {
    /// Returns what to do about the error.
    pub fn hint(&self) -> String {
        match self {
            Self::Model(
                ModelError::MissingTensor { .. }
                | ModelError::ExtraTensor { .. }
                | ModelError::TensorShape { .. },
            ) => {
                "the weights belong to another network; name its recipe or architecture".to_owned()
            }
            Self::Model(error) => error.hint(),
            Self::Whitening => {
                "the checkpoint's own model.safetensors has it next to the weights, as \
                                `preprocessing.whitening.mean` and `preprocessing.whitening.matrix`"
                    .to_owned()
            }
            Self::Int8 => "convert the checkpoint that they were made from".to_owned(),
            Self::NotInOnnx { .. } | Self::TooLargeForOnnx { .. } => {
                "export to safetensors instead".to_owned()
            }
        }
    }
}

/// Refuses int8 weights, whose scales would be lost.
pub(crate) fn refuse_int8(weights: &Weights) -> Result<(), ExchangeError> {
    if weights.is_quantized() { Err(ExchangeError::Int8) } else { Ok(()) }
}
