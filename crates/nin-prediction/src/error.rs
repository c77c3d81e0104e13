//! Errors of predictions.

use nin_model::ModelError;
use nin_picture::PictureError;

/// A picture without a prediction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictionError {
    /// The picture cannot be read or prepared.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The network failed, or its logits are not finite.
    #[error(transparent)]
    Network(#[from] ModelError),
}
