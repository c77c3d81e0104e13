//! Pictures from outside: where they come from, and, with class maps over them, where they go.

mod invert;
mod overlay;
mod source;

pub use invert::Invert;
pub use nin_data::{Picture, PictureError};
pub use overlay::{encode_png, overlay, shown_size};
pub use source::{Source, find};
