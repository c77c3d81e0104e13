//! `[model]`: the network and its initial weights.

use nin_model::{Architecture, Block, Builtin, Initialization, ModelError};
use serde::{Deserialize, Serialize};

use super::error::RecipeError;

/// The section `[model]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ModelKeys", into = "ModelKeys")]
pub struct ModelRecipe {
    /// The network.
    pub network: NetworkRecipe,
    /// How initial weights are drawn.
    pub initialization: Initialization,
    /// Number of image channels; `None` follows the data.
    pub input_channels: Option<usize>,
    /// Number of classes; `None` follows the data.
    pub classes: Option<usize>,
    /// The checkpoint to start from: a path or `pretrained:NAME`.
    pub weights: Option<String>,
    /// Number of first blocks whose weights stay frozen.
    pub freeze_blocks: usize,
}

/// The network of a recipe.
#[derive(Debug, Clone, PartialEq)]
pub enum NetworkRecipe {
    /// A built-in architecture.
    Builtin(Builtin),
    /// A custom architecture.
    Blocks {
        /// The name, for display.
        name: String,
        /// The blocks, first to last.
        blocks: Vec<Block>,
    },
}

/// The name of a custom architecture without one.
const UNNAMED: &str = "custom";

/// The keys of the section in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ModelKeys {
    architecture: String,
    initialization: String,
    input_channels: usize,
    classes: usize,
    blocks: Vec<Block>,
    weights: String,
    freeze_blocks: usize,
}

impl Default for ModelRecipe {
    /// The book's network with the book's initialization.
    fn default() -> Self {
        Self {
            network: NetworkRecipe::Builtin(Builtin::D2l),
            initialization: Initialization::Xavier,
            input_channels: None,
            classes: None,
            weights: None,
            freeze_blocks: 0,
        }
    }
}

impl Default for ModelKeys {
    /// Leaves `architecture` empty. With a default name here, `blocks` without a name would conflict with it.
    fn default() -> Self {
        Self { architecture: String::new(), ..ModelRecipe::default().into() }
    }
}

impl ModelRecipe {
    /// Returns the architecture for data with this many channels and classes; the recipe's own numbers override them.
    ///
    /// # Errors
    /// [`ModelError::Architecture`] if a value is invalid.
    pub(super) fn architecture(
        &self,
        data_channels: usize,
        data_classes: usize,
    ) -> Result<Architecture, ModelError> {
        let channels = self.input_channels.unwrap_or(data_channels);
        let classes = self.classes.unwrap_or(data_classes);
        match &self.network {
            NetworkRecipe::Builtin(builtin) => builtin.architecture(channels, classes),
            NetworkRecipe::Blocks { name, blocks } => {
                Architecture::new(name, channels, classes, blocks.clone())
            }
        }
    }
}

impl From<ModelRecipe> for ModelKeys {
    fn from(recipe: ModelRecipe) -> Self {
        let (architecture, blocks) = match recipe.network {
            NetworkRecipe::Builtin(builtin) => (builtin.name().to_owned(), Vec::new()),
            NetworkRecipe::Blocks { name, blocks } => (name, blocks),
        };
        Self {
            architecture,
            initialization: recipe.initialization.name().to_owned(),
            input_channels: recipe.input_channels.unwrap_or(0),
            classes: recipe.classes.unwrap_or(0),
            blocks,
            weights: recipe.weights.unwrap_or_default(),
            freeze_blocks: recipe.freeze_blocks,
        }
    }
}

impl TryFrom<ModelKeys> for ModelRecipe {
    type Error = RecipeError;

    fn try_from(keys: ModelKeys) -> Result<Self, RecipeError> {
        let some = |count: usize| (count > 0).then_some(count);
        Ok(Self {
            network: network(keys.architecture, keys.blocks)?,
            initialization: keys.initialization.parse()?,
            input_channels: some(keys.input_channels),
            classes: some(keys.classes),
            weights: Some(keys.weights).filter(|weights| !weights.is_empty()),
            freeze_blocks: keys.freeze_blocks,
        })
    }
}

fn network(name: String, blocks: Vec<Block>) -> Result<NetworkRecipe, ModelError> {
    if blocks.is_empty() {
        let builtin = if name.is_empty() { Builtin::D2l } else { name.parse()? };
        return Ok(NetworkRecipe::Builtin(builtin));
    }
    if name.parse::<Builtin>().is_ok() {
        return Err(ModelError::Architecture {
            place: "model".to_owned(),
            what: "architecture",
            expected: "no name, or one that no built-in architecture has, next to `blocks`"
                .to_owned(),
            found: name,
        });
    }
    let name = if name.is_empty() { UNNAMED.to_owned() } else { name };
    Ok(NetworkRecipe::Blocks { name, blocks })
}
