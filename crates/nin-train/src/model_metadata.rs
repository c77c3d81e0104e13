//! The metadata of a network, from a recipe and its data.

use nin_data::DataSet;
use nin_model::{Architecture, ModelMetadata, check_confusion_matrix};
use nin_preprocessing::Preprocessing;

use crate::recipe::{Recipe, RecipeError};
use crate::{TrainError, fine_tuning, preprocessing, weighting};

/// Returns the architecture, classes and preprocessing of a recipe on its data, and checks that they fit each other.
/// Statistics of the preprocessing are not fitted yet.
///
/// # Errors
/// [`TrainError::Recipe`] or [`TrainError::Model`] if a value or the architecture is invalid, or the images are too
/// small; [`TrainError::DataMismatch`] if the network has fewer classes than the data or other input channels.
pub fn model_metadata(recipe: &Recipe, data: &DataSet) -> Result<ModelMetadata, TrainError> {
    let (channels, classes) = (data.train.channels(), data.class_names.len());
    let architecture: Architecture = recipe.architecture(channels, classes)?;
    if architecture.classes() < classes || architecture.input_channels() != channels {
        let describe = |channels, classes| format!("{channels} channel(s) and {classes} classes");
        return Err(TrainError::DataMismatch {
            dataset: data.name.clone(),
            folder: data.folder.clone(),
            expected: describe(architecture.input_channels(), architecture.classes()),
            found: describe(channels, classes),
        });
    }
    let fit = data.pictures.is_some().then_some(recipe.data.fit);
    let names = data.class_names.iter().cloned();
    let unnamed = (classes..architecture.classes()).map(|class| class.to_string());
    let metadata = ModelMetadata {
        classes: names.chain(unnamed).collect(),
        dataset: data.name.clone(),
        preprocessing: Preprocessing { fit, ..Preprocessing::resized(input_size(recipe, data)?) },
        precision: recipe.training.precision,
        architecture,
    };
    metadata.architecture.shapes(metadata.input())?;
    // The evaluation after each epoch needs the confusion matrix.
    check_confusion_matrix(metadata.classes.len())?;
    preprocessing::check(recipe, metadata.input())?;
    weighting::class_weights(recipe, data, &metadata)?;
    fine_tuning::check(recipe)?;
    Ok(metadata)
}

/// Returns `[height, width]` of the network's input.
fn input_size(recipe: &Recipe, data: &DataSet) -> Result<[usize; 2], RecipeError> {
    if let Some(side) = recipe.data.input_size {
        return Ok([side, side]);
    }
    data.train.image_size().ok_or_else(|| RecipeError::Refused {
        key: "data.input_size".to_owned(),
        expected: "a size such as 96, because pictures differ in size".to_owned(),
        found: "0".to_owned(),
    })
}
