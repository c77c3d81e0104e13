//! What can be wrong with a network that is to go out or come in.

use nin_model::ModelError;
use thiserror::Error;

/// An error of this crate.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The weights are not the architecture's.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// ONNX has no words for a layer.
    #[error("{layer} cannot be written as ONNX: {reason}")]
    NotInOnnx {
        /// The layer.
        layer: String,
        /// Why not.
        reason: &'static str,
    },
    /// A network whitens its images by a matrix that only our own files hold.
    #[error("the network's ZCA whitening cannot be written in this form")]
    Whitening,
    /// A protobuf message ends at 2 GiB.
    #[error("the weights have {bytes} bytes, an ONNX file holds {limit}")]
    TooLargeForOnnx {
        /// Of the weights.
        bytes: u64,
        /// Of a protobuf message.
        limit: u64,
    },
}

impl ExchangeError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Model(
                ModelError::MissingTensor { .. }
                | ModelError::ExtraTensor { .. }
                | ModelError::TensorShape { .. },
            ) => "the file is of another network: name its recipe or architecture".to_owned(),
            Self::Model(error) => error.hint(),
            Self::Whitening => {
                "the checkpoint's own model.safetensors holds it beside the weights, as \
                                preprocessing.whitening.mean and .matrix"
                    .to_owned()
            }
            Self::NotInOnnx { .. } | Self::TooLargeForOnnx { .. } => {
                "take it out as safetensors".to_owned()
            }
        }
    }
}
