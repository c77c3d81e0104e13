//! Opens data: to train on, or to evaluate a network.

mod classes;
mod evaluated;
mod folder;
mod reading;
mod training;

pub use evaluated::{ChosenImages, ImageRequest, choose_images, run_of};
pub use folder::{name_of_data, remembered_environment, remembered_folder};
pub use reading::{Reading, open_data};
pub use training::{for_selection, open_training_data, picture_options};
