//! `import`: converts PyTorch's or nin's safetensors into weights that every command takes.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use nin_exchange::pytorch;
use nin_model::{ModelMetadata, Preprocessing};
use nin_train::files::read_file;
use nin_train::read_weights;

use crate::arguments::ImportArguments;
use crate::error::{CommandError, check_is_local};
use crate::output::{note, note_replaced, save};
use crate::settings::NetworkSettings;

/// The largest list of class names, in bytes.
const LARGEST_NAMES: u64 = 1 << 20;

pub fn run(arguments: &ImportArguments) -> anyhow::Result<ExitCode> {
    let settings = NetworkSettings::resolve(&arguments.config, &arguments.set)?;
    let metadata = metadata(&settings, arguments.classes.as_deref())?;
    check_is_local(&arguments.from)?;
    let weights = pytorch::to_ours(&metadata.architecture, &read_weights(&arguments.from)?)
        .with_context(|| format!("`{}`", arguments.from.display()))?;
    if !settings.recipe.preprocessing.is_none() {
        note(
            "warning: the file lacks what the recipe's preprocessing fits to its training images: \
             the weights are taken to expect images from 0 to 1",
        );
    }
    let bytes = metadata.to_safetensors(&weights)?;
    note_replaced(&arguments.output);
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

/// Builds the metadata that other software does not store, from the recipe and a file of class names.
fn metadata(settings: &NetworkSettings, names: Option<&Path>) -> anyhow::Result<ModelMetadata> {
    let NetworkSettings { recipe, architecture, input: [_, height, width] } = settings;
    let classes = architecture.classes();
    let classes = match names {
        Some(path) => class_names(path, classes)?,
        None => (0..classes).map(|class| class.to_string()).collect(),
    };
    Ok(ModelMetadata {
        classes,
        dataset: recipe.data.dataset.clone(),
        preprocessing: Preprocessing::resized([*height, *width]),
        architecture: architecture.clone(),
        precision: recipe.training.precision,
    })
}

/// Reads names from a file, one per line.
fn class_names(path: &Path, classes: usize) -> anyhow::Result<Vec<String>> {
    let refused = |what: String| {
        CommandError::new(
            format!("`{}` {what}", path.display()),
            "write one name per line, in the order of the network's outputs",
        )
    };
    let bytes = read_file(path, LARGEST_NAMES)?;
    let text = String::from_utf8(bytes).map_err(|_| refused("is not UTF-8 text".to_owned()))?;
    let text = text.trim_start_matches('\u{feff}');
    let names: Vec<String> = text.lines().map(|name| name.trim().to_owned()).collect();
    if let Some(line) = names.iter().position(String::is_empty) {
        return Err(refused(format!("has an empty name in line {}", line + 1)).into());
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(refused(format!("lists `{twice}` twice")).into());
    }
    if names.len() != classes {
        let found = names.len();
        return Err(
            refused(format!("has {found} names, but the network has {classes} classes")).into()
        );
    }
    Ok(names)
}
