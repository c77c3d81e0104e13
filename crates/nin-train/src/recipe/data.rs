//! `[data]`: the data set, and the images to use.

use nin_data::{OnBadPicture, Selection, Shares};
use nin_preprocessing::Fit;
use serde::{Deserialize, Serialize};

use super::zero_is_none;

/// The section `[data]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataRecipe {
    /// The data set's name.
    pub dataset: String,
    /// Side of the square that images are resized to, in pixels; `None` keeps their size.
    #[serde(with = "zero_is_none")]
    pub input_size: Option<usize>,
    /// How pictures of another aspect ratio are fitted to that square.
    pub fit: Fit,
    /// Uses at most this many images of each part; `None` uses all.
    #[serde(with = "zero_is_none")]
    pub limit: Option<usize>,
    /// Holds out this many training images and evaluates on them instead of the test set, so that a recipe can be
    /// chosen without using the test set.
    pub held_out: usize,
    /// How `limit` and `held_out` select images.
    pub selection: Selection,
    /// Share of the pictures to use for validation, in a folder that is not split into parts.
    pub validation: f64,
    /// Share of the pictures to use for testing, in a folder that is not split into parts.
    pub test: f64,
    /// Seed of the split of such a folder.
    pub split_seed: u64,
    /// What to do with pictures that cannot be decoded.
    pub on_bad_picture: OnBadPicture,
}

impl Default for DataRecipe {
    /// The book's Fashion-MNIST at 224x224.
    fn default() -> Self {
        let Shares { validation, test, seed } = Shares::default();
        Self {
            dataset: "fashion-mnist".to_owned(),
            input_size: Some(224),
            fit: Fit::Stretch,
            limit: None,
            held_out: 0,
            selection: Selection::First,
            validation,
            test,
            split_seed: seed,
            on_bad_picture: OnBadPicture::Stop,
        }
    }
}

impl DataRecipe {
    /// Returns the shares of pictures for validation and testing, in a folder that is not split into parts.
    pub fn shares(&self) -> Shares {
        Shares { validation: self.validation, test: self.test, seed: self.split_seed }
    }
}
