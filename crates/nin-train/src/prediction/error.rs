//! Why a picture has no prediction.

use nin_data::PictureError;
use nin_model::ModelError;

/// Why a picture has no prediction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictionError {
    /// The picture cannot be read or prepared.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The network cannot answer.
    #[error(transparent)]
    Network(#[from] ModelError),
}
