//! Decodes picture files to upright 8-bit planes: JPEG, PNG, WebP, GIF, BMP and TIFF.
//!
//! Training, `eval`, `predict`, `serve`, exported web pages and library users share this code.

mod cmyk;
mod decode;
mod error;
mod format;
mod grey;
mod header;
mod jpeg;
mod memory;
mod metadata;
mod orientation;
mod read;
mod reduce;
mod whole;

pub use decode::Picture;
pub use error::PictureError;
pub use format::{PictureFormat, foreign_ending};
pub use grey::grey_of;
pub use header::PictureHeader;
pub use read::read_picture;
