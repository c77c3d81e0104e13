//! The page that classifies pictures, and the lesson.
//!
//! `serve` answers the requests of the first; `export --to web` writes it as one file. Both use the same files, except for the
//! module that runs the network: [`files::SERVE`] or [`files::WEB`]. `export --to lesson` writes the lesson.

mod bundle;
mod description;
pub mod files;
mod gallery;
mod lesson;
mod one_file;
mod single;
mod template;

pub use description::{Place, description};
pub use gallery::Gallery;
pub use lesson::lesson_page;
pub use single::single_page;
pub use template::{Slots, html};
