//! The page that classifies pictures. `serve` answers its requests; `export --to web` writes it as one file.
//!
//! Both use the same files, except for the module that runs the network: [`files::SERVE`] or [`files::WEB`].

mod bundle;
mod description;
pub mod files;
mod gallery;
mod single;
mod template;

pub use description::{Place, description};
pub use gallery::Gallery;
pub use single::single_page;
pub use template::{Slots, html};
