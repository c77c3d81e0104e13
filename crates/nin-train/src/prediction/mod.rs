//! The one way from a picture to its classes: decoded, prepared as in training, through the network.

mod error;
mod predictor;
mod preparation;

pub use error::PredictionError;
pub use predictor::{Prediction, Predictor};
pub use preparation::{Inversion, Preparation, Prepared};
