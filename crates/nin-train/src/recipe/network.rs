//! The network that `[model]` names.

use nin_model::{Block, Builtin, ModelError};

use super::ModelRecipe;

/// What `[model]` names.
pub enum NamedNetwork<'a> {
    /// A built-in architecture.
    Builtin(Builtin),
    /// Blocks of the recipe's own.
    Blocks {
        /// The name to show.
        name: &'a str,
        /// The blocks, first to last.
        blocks: &'a [Block],
    },
}

impl ModelRecipe {
    /// The built-in architecture, or the blocks.
    ///
    /// # Errors
    /// [`ModelError::UnknownArchitecture`], or [`ModelError::Architecture`] where a built-in name
    /// stands beside blocks.
    pub fn network(&self) -> Result<NamedNetwork<'_>, ModelError> {
        let name = self.architecture.as_str();
        if self.blocks.is_empty() {
            let builtin = if name.is_empty() { Builtin::D2l } else { name.parse()? };
            return Ok(NamedNetwork::Builtin(builtin));
        }
        if name.parse::<Builtin>().is_ok() {
            return Err(ModelError::Architecture {
                place: "model".to_owned(),
                what: "architecture",
                expected: "a name of its own beside `blocks`, or none".to_owned(),
                found: name.to_owned(),
            });
        }
        let name = if name.is_empty() { "custom" } else { name };
        Ok(NamedNetwork::Blocks { name, blocks: &self.blocks })
    }
}
