//! Pictures: their sources, and their class maps as PNG.

mod invert;
mod overlay;
mod source;

pub use invert::Invert;
pub use nin_data::{Picture, PictureError};
pub use overlay::{encode_png, overlay, shown_size};
pub use source::{Source, find};
