//! The recipe and its TOML form.

use nin_model::Architecture;
use nin_optimizer::{OptimizerRecipe, ScheduleRecipe};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::augmentation::AugmentationRecipe;
use super::checkpoint::CheckpointRecipe;
use super::data::DataRecipe;
use super::error::RecipeError;
use super::model::{ModelKeys, ModelRecipe};
use super::preprocessing::PreprocessingRecipe;
use super::training::TrainingRecipe;

/// Everything that decides what a training computes. Each field is a section of the TOML file.
///
/// A recipe from a file or a [`RecipeBuilder`](super::RecipeBuilder) is valid. If you construct or change one, check it
/// with [`validate`](Self::validate).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// The network and its initial weights.
    pub model: ModelRecipe,
    /// The data set.
    pub data: DataRecipe,
    /// Normalization and whitening of the input.
    pub preprocessing: PreprocessingRecipe,
    /// Random changes to training images.
    pub augmentation: AugmentationRecipe,
    /// The optimizer.
    pub optimizer: OptimizerRecipe,
    /// The learning-rate schedule.
    pub schedule: ScheduleRecipe,
    /// Epochs, batch size, seed, loss, and what to do when a training fails.
    pub training: TrainingRecipe,
    /// When checkpoints are written, and which ones are kept.
    pub checkpoint: CheckpointRecipe,
}

/// A recipe whose `[model]` is not parsed yet. Parsing it later keeps the type of its errors, which serde would lose.
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
    /// Returns the keys and values as a TOML table.
    ///
    /// # Errors
    /// [`RecipeError::Unwritable`] if a number does not fit into TOML's integers.
    pub(super) fn to_table(&self) -> Result<Table, RecipeError> {
        Table::try_from(self).map_err(|error| RecipeError::Unwritable { reason: error.to_string() })
    }

    /// Returns the recipe as TOML. Reading it back gives an equal recipe.
    ///
    /// # Errors
    /// [`RecipeError::Unwritable`] if a number exceeds TOML's integers.
    pub fn to_toml(&self) -> Result<String, RecipeError> {
        toml::to_string(self).map_err(|error| RecipeError::Unwritable { reason: error.to_string() })
    }

    /// Returns the architecture for data with this many channels and classes. `model.input_channels` and
    /// `model.classes` override them.
    ///
    /// # Errors
    /// [`RecipeError::Model`] if the architecture is invalid.
    pub fn architecture(
        &self,
        data_channels: usize,
        data_classes: usize,
    ) -> Result<Architecture, RecipeError> {
        Ok(self.model.architecture(data_channels, data_classes)?)
    }
}
