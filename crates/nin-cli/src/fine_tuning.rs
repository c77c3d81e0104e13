//! `train --weights`: the checkpoint that a run starts from, and the recipe keys that follow it.

use std::path::Path;

use nin_model::{Architecture, Block, Builtin, Width};
use nin_train::StartingWeights;
use nin_train::recipe::{Recipe, RecipeBuilder, RecipeError};
use serde::Serialize;
use toml::Value;

use crate::error::CommandError;
use crate::pretrained::ModelSource;

/// The key that names the checkpoint.
const WEIGHTS: &str = "model.weights";

/// The keys of the default recipe that describe the network and its inputs.
const OF_THE_NETWORK: [&str; 7] = [
    "model.architecture",
    "model.blocks",
    "model.initialization",
    "data.input_size",
    "data.fit",
    "preprocessing",
    "training.precision",
];

/// Removes the default recipe's keys about the network, which the checkpoint determines.
pub fn forget_network(builder: &mut RecipeBuilder) {
    for key in OF_THE_NETWORK {
        builder.forget(key);
    }
}

/// Completes a recipe that starts from a checkpoint. Architecture, preprocessing and precision follow the
/// checkpoint unless a key names others. `copy` is the run's own copy of the checkpoint.
pub fn follow(builder: &mut RecipeBuilder, copy: Option<&Path>) -> anyhow::Result<()> {
    let Some(source) = builder.get(WEIGHTS).and_then(Value::as_str).filter(|name| !name.is_empty())
    else {
        return Ok(());
    };
    let is_named = |key: &str| builder.get(key).is_some();
    let has_network = is_named("model.architecture") || is_named("model.blocks");
    let has_size = is_named("data.input_size");
    let has_fit = is_named("data.fit");
    let has_preprocessing = is_named("preprocessing");
    let has_precision = is_named("training.precision");
    if has_network && has_size && has_fit && has_preprocessing && has_precision {
        return Ok(());
    }
    let StartingWeights { metadata, .. } = load(source, copy)?;
    if !has_network {
        set_network(builder, &metadata.architecture)?;
    }
    if !has_size {
        let [height, width] = metadata.preprocessing.input_size;
        if height != width {
            return Err(CommandError::new(
                format!("the weights expect images of {height}x{width}, which is not square"),
                "set data.input_size to the side that images are resized to; 0 keeps their size \
                 (--set data.input_size=0)",
            )
            .into());
        }
        builder.set("data.input_size", height as i64, "--weights")?;
    }
    if let Some(fit) = metadata.preprocessing.fit.filter(|_| !has_fit) {
        builder.set("data.fit", value(fit)?, "--weights")?;
    }
    if !has_preprocessing && !metadata.preprocessing.is_plain() {
        builder.set("preprocessing.normalization", "weights", "--weights")?;
    }
    if !has_precision {
        builder.set("training.precision", metadata.precision.name(), "--weights")?;
    }
    Ok(())
}

/// Loads the checkpoint that a recipe names, or the copy of it. Returns `None` if it names none.
pub fn starting_weights(
    recipe: &Recipe,
    copy: Option<&Path>,
) -> anyhow::Result<Option<StartingWeights>> {
    recipe.model.weights.as_ref().map(|source| load(source, copy)).transpose()
}

fn load(source: &str, copy: Option<&Path>) -> anyhow::Result<StartingWeights> {
    let model = match copy.filter(|copy| copy.is_file()) {
        Some(copy) => ModelSource::Path(copy.to_owned()),
        None => ModelSource::parse(source.into()).map_err(|reason| {
            CommandError::new(
                format!("`{WEIGHTS}` is `{source}`: {reason}"),
                "name a run folder, a checkpoint folder, a .safetensors file, or pretrained:NAME \
                 (--weights)",
            )
        })?,
    };
    let (metadata, weights) = model.load()?;
    if weights.is_quantized() {
        return Err(CommandError::new(
            format!("`{source}` holds int8 weights, which cannot be trained"),
            "start from the checkpoint that they were made from",
        )
        .into());
    }
    Ok(StartingWeights { metadata, weights })
}

/// Sets the architecture of the weights, for any number of classes.
fn set_network(
    builder: &mut RecipeBuilder,
    architecture: &Architecture,
) -> Result<(), RecipeError> {
    let name = architecture.name();
    let builtin = name.parse::<Builtin>().ok();
    if builtin.is_some_and(|builtin| builtin.blocks() == architecture.blocks()) {
        return builder.set("model.architecture", name, "--weights");
    }
    let mut blocks: Vec<Block> = architecture.blocks().to_vec();
    if let Some(last) = blocks.last_mut() {
        last.widths[2] = Width::CLASSES;
    }
    builder.set("model.blocks", value(blocks)?, "--weights")?;
    if builtin.is_none() {
        builder.set("model.architecture", name, "--weights")?;
    }
    Ok(())
}

fn value(value: impl Serialize) -> Result<Value, RecipeError> {
    Value::try_from(value).map_err(|error| RecipeError::Unwritable { reason: error.to_string() })
}
