//! `[data]`: what a network is trained on.

use nin_data::{OnBadPicture, Selection, Shares};
use nin_preprocessing::Fit;
use serde::{Deserialize, Serialize};

use super::zero_is_none;

/// `[data]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataRecipe {
    /// The data set's name.
    pub dataset: String,
    /// Side of the square that images are resized to, in pixels; `None` leaves them as they are.
    #[serde(with = "zero_is_none")]
    pub input_size: Option<usize>,
    /// How pictures of other proportions are brought to that size.
    pub fit: Fit,
    /// Takes at most this many images of each part.
    #[serde(with = "zero_is_none")]
    pub limit: Option<usize>,
    /// Keeps this many training images from training and evaluates on them instead of the test set, to choose
    /// a recipe without a look at the test set.
    pub held_out: usize,
    /// Which images `limit` and `held_out` take.
    pub selection: Selection,
    /// The share of a folder of pictures without parts that is kept for validation.
    pub validation: f64,
    /// The share of a folder of pictures without parts that is kept for testing.
    pub test: f64,
    /// Another seed is another split of a folder of pictures.
    pub split_seed: u64,
    /// What happens to pictures that cannot be decoded.
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
    /// Returns the shares that a folder of pictures without parts keeps from training.
    pub fn shares(&self) -> Shares {
        Shares { validation: self.validation, test: self.test, seed: self.split_seed }
    }
}
