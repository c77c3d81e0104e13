//! `import`: safetensors of PyTorch, or of ours, as weights that every command takes.

use std::process::ExitCode;

use anyhow::Context;
use nin_data::class_names;
use nin_exchange::pytorch;
use nin_model::{ModelMetadata, Preprocessing};
use nin_train::read_weights;

use crate::arguments::ImportArguments;
use crate::output::{note, save};
use crate::settings::NetworkSettings;

pub fn run(arguments: &ImportArguments) -> anyhow::Result<ExitCode> {
    let settings = NetworkSettings::resolve(&arguments.config, &arguments.set)?;
    let metadata = metadata(&settings);
    let weights = pytorch::to_ours(&metadata.architecture, &read_weights(&arguments.from)?)
        .with_context(|| format!("`{}`", arguments.from.display()))?;
    if !settings.recipe.preprocessing.is_none() {
        note(
            "warning: what the recipe's preprocessing fits to its training images is not in such a \
             file: the weights are taken for images from 0 to 1",
        );
    }
    let bytes = metadata.to_safetensors(&weights)?;
    save(&arguments.output, &bytes)?;
    let [_, height, width] = settings.input;
    note(format!(
        "wrote {}: {} for {height}x{width} images of {}",
        arguments.output.display(),
        metadata.architecture.name(),
        metadata.dataset
    ));
    Ok(ExitCode::SUCCESS)
}

/// What the recipe says that a file of other software does not.
fn metadata(settings: &NetworkSettings) -> ModelMetadata {
    let NetworkSettings { recipe, architecture, input: [_, height, width] } = settings;
    let classes = architecture.classes();
    let names = class_names(&recipe.data.dataset, classes);
    let unnamed = (names.len()..classes).map(|class| class.to_string());
    ModelMetadata {
        classes: names.into_iter().chain(unnamed).take(classes).collect(),
        dataset: recipe.data.dataset.clone(),
        preprocessing: Preprocessing::resized([*height, *width]),
        architecture: architecture.clone(),
        precision: recipe.training.precision,
    }
}
