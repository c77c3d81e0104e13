//! Pictures from outside, on their way into the network and, with class maps over them, out again.
//!
//! The one place where a picture becomes an input: `predict`, and whatever else takes pictures,
//! goes through [`Preparation`].

mod overlay;
mod prepare;
mod source;

pub use nin_data::{Picture, PictureError};
pub use overlay::{encode_png, overlay, shown_size};
pub use prepare::{Invert, Preparation, Prepared};
pub use source::{Source, find};
