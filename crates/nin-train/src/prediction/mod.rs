//! Prediction for pictures: decode, prepare as in training, run the network.

mod error;
mod predictor;
mod preparation;

pub use error::PredictionError;
pub use predictor::{Prediction, Predictor};
pub use preparation::{Inversion, Preparation, Prepared};
