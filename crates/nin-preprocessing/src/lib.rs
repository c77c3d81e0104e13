//! Turns images into network input: fit to the input size, divide by 255, normalize, whiten.
//!
//! [`Preprocessing`] is saved with the weights of a network and also does the work. Training, evaluation,
//! prediction and serving therefore feed the network the same bits. Everything runs on the host, one image
//! at a time, in a fixed order.
//!
//! ```
//! use nin_preprocessing::{Fit, Normalization, Preprocessing};
//!
//! let preprocessing = Preprocessing {
//!     fit: Some(Fit::Crop),
//!     normalization: Normalization::Channels { mean: vec![0.5], deviation: vec![0.25] },
//!     ..Preprocessing::resized([2, 2])
//! };
//! // A grey 2x4 image; the crop keeps the middle 2x2.
//! let plane = vec![0, 255, 0, 0, 0, 255, 0, 0];
//! let planes = preprocessing.fitted(&[plane], [2, 4]);
//! let mut values: Vec<f32> = planes[0].iter().map(|&byte| f32::from(byte) / 255.0).collect();
//! preprocessing.apply(&mut values, 4);
//! assert_eq!(values, [2.0, -2.0, 2.0, -2.0]);
//! ```

mod fit;
mod normalization;
mod preprocessing;
mod resize;
mod whitening;

pub use fit::{Fit, UnknownFit, rim_colour};
pub use normalization::Normalization;
pub use preprocessing::Preprocessing;
pub use resize::Resizer;
pub use whitening::{LARGEST_WHITENED, Whitening, WhiteningError};
