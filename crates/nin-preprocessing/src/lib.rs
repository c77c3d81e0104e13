//! How an image becomes a network's input: fitted to its size, divided by 255, normalised, whitened.
//!
//! [`Preprocessing`] is both the description that travels with a network's weights and what is done: the
//! same bits in training, evaluation, prediction and on a server. Everything is computed on the host, image
//! for image, in a fixed order.
//!
//! ```
//! use nin_preprocessing::{Fit, Normalization, Preprocessing};
//!
//! let preprocessing = Preprocessing {
//!     fit: Some(Fit::Crop),
//!     normalization: Normalization::Channels { mean: vec![0.5], deviation: vec![0.25] },
//!     ..Preprocessing::resized([2, 2])
//! };
//! // A grey picture of two rows and four columns, of which the middle is kept.
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
