//! From a picture to its classes and class maps: preparation as in training, the prediction, and its JSON.
//!
//! `predict`, `serve`, exported web pages and `nin_train::Predictor` share this code. It opens no files and starts no
//! threads.

mod answer;
mod error;
mod prediction;
mod preparation;

pub use answer::{Answer, NO_FILE, Threshold, UNKNOWN, answers};
pub use error::PredictionError;
pub use prediction::Prediction;
pub use preparation::{Inversion, Preparation, Prepared};
