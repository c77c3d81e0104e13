//! A whole recipe, and its TOML text.

use nin_model::Architecture;
use serde::{Deserialize, Serialize};

use super::augmentation::AugmentationRecipe;
use super::checkpoint::CheckpointRecipe;
use super::data::DataRecipe;
use super::error::RecipeError;
use super::model::{ModelKeys, ModelRecipe};
use super::optimizer::OptimizerRecipe;
use super::preprocessing::PreprocessingRecipe;
use super::schedule::ScheduleRecipe;
use super::training::TrainingRecipe;

/// Everything that decides what a training computes. Its fields are the sections of its TOML file.
///
/// A recipe from a file or a [`RecipeBuilder`](super::RecipeBuilder) is valid; check one that you put together or
/// changed with [`validate`](Self::validate).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// The network and its initial weights.
    pub model: ModelRecipe,
    /// What it is trained on.
    pub data: DataRecipe,
    /// What happens to the images' values before the network.
    pub preprocessing: PreprocessingRecipe,
    /// Random changes of training images.
    pub augmentation: AugmentationRecipe,
    /// How gradients change the weights.
    pub optimizer: OptimizerRecipe,
    /// The learning rate over the steps.
    pub schedule: ScheduleRecipe,
    /// Length, batches and seed.
    pub training: TrainingRecipe,
    /// When the state is saved, and how many checkpoints are kept.
    pub checkpoint: CheckpointRecipe,
}

/// A recipe whose network is not parsed yet, so that an error keeps its type.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RecipeKeys {
    model: ModelKeys,
    data: DataRecipe,
    preprocessing: PreprocessingRecipe,
    augmentation: AugmentationRecipe,
    optimizer: OptimizerRecipe,
    schedule: ScheduleRecipe,
    training: TrainingRecipe,
    checkpoint: CheckpointRecipe,
}

impl TryFrom<RecipeKeys> for Recipe {
    type Error = RecipeError;

    fn try_from(keys: RecipeKeys) -> Result<Self, RecipeError> {
        Ok(Self {
            model: keys.model.try_into()?,
            data: keys.data,
            preprocessing: keys.preprocessing,
            augmentation: keys.augmentation,
            optimizer: keys.optimizer,
            schedule: keys.schedule,
            training: keys.training,
            checkpoint: keys.checkpoint,
        })
    }
}

impl Recipe {
    /// Returns the TOML text that reads back as this recipe.
    ///
    /// # Errors
    /// [`RecipeError::Unwritable`] where a number does not fit into TOML's integers.
    pub fn to_toml(&self) -> Result<String, RecipeError> {
        toml::to_string(self).map_err(|error| RecipeError::Unwritable { reason: error.to_string() })
    }

    /// Returns the network for data of this many channels and classes, which count where the recipe names none.
    ///
    /// # Errors
    /// [`RecipeError::Model`] where the network's values are refused.
    pub fn architecture(
        &self,
        data_channels: usize,
        data_classes: usize,
    ) -> Result<Architecture, RecipeError> {
        Ok(self.model.architecture(data_channels, data_classes)?)
    }
}
