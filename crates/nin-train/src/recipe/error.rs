//! Errors of recipes, with hints.

use std::path::PathBuf;

use nin_model::ModelError;
use thiserror::Error;

use super::builtin::BuiltinRecipe;

/// A recipe that cannot be read or used. `origin` names the source of a key: a file or the command line.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// Neither a built-in recipe nor a file has this name.
    #[error("no recipe `{name}`: neither a built-in recipe nor a file")]
    NotFound {
        /// The requested name.
        name: String,
        /// The built-in recipe with the most similar name.
        nearest: Option<String>,
    },
    /// The file cannot be read.
    #[error("cannot read the recipe `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The file is too long for a recipe.
    #[error("the recipe `{}` has {found} bytes, expected at most {expected}", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        expected: u64,
        /// The file's length, in bytes.
        found: u64,
    },
    /// The text is not UTF-8.
    #[error("the recipe `{origin}` is not valid UTF-8 at byte {position}")]
    NotUtf8 {
        /// Where it came from.
        origin: String,
        /// Position of the first invalid byte, counted from 0.
        position: usize,
    },
    /// The text is not TOML.
    #[error("`{origin}` is not TOML: {reason}")]
    Syntax {
        /// Where it came from.
        origin: String,
        /// Line, column and problem, on one line.
        reason: String,
    },
    /// The key does not exist.
    #[error("unknown key `{key}` in `{origin}`")]
    UnknownKey {
        /// The key, with its section.
        key: String,
        /// Where it came from.
        origin: String,
        /// The known key with the most similar name.
        nearest: Option<String>,
    },
    /// The key was removed, and its value is not the one that switched it off.
    #[error("`{key}` in `{origin}` is {found}: this key was removed")]
    Retired {
        /// The key, with its section.
        key: String,
        /// Where it came from.
        origin: String,
        /// The value that is still accepted.
        off: f64,
        /// The value it has.
        found: String,
    },
    /// A key has a value of the wrong type.
    #[error("`{key}` in `{origin}` is {found}, expected {expected}")]
    WrongType {
        /// The key, with its section.
        key: String,
        /// Where it came from.
        origin: String,
        /// The expected type.
        expected: String,
        /// The type and value in the recipe.
        found: String,
    },
    /// A value does not parse, such as an unknown name or a block without widths.
    #[error("the recipe `{origin}` has an invalid value: {reason}")]
    Value {
        /// Where it came from.
        origin: String,
        /// What was found, what was expected, and the key.
        reason: String,
    },
    /// An assignment is not of the form `KEY=VALUE`.
    #[error("`{text}` is not KEY=VALUE")]
    NotAssignment {
        /// The text.
        text: String,
    },
    /// A value is out of range, or conflicts with another key or the data.
    #[error("`{key}` is `{found}`, expected {expected}")]
    Refused {
        /// The key, with its section.
        key: String,
        /// The allowed values.
        expected: String,
        /// The value in the recipe.
        found: String,
    },
    /// The network is invalid.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The recipe cannot be written, such as for a seed of 2^63 or more.
    #[error("the recipe cannot be written as TOML: {reason}")]
    Unwritable {
        /// The message of the TOML writer.
        reason: String,
    },
}

impl RecipeError {
    /// Returns advice on how to fix the error.
    pub fn hint(&self) -> String {
        match self {
            Self::NotFound { nearest: Some(nearest), .. }
            | Self::UnknownKey { nearest: Some(nearest), .. } => {
                format!("did you mean `{nearest}`?")
            }
            Self::NotFound { nearest: None, .. } => format!(
                "built-in recipes: {}",
                BuiltinRecipe::names().collect::<Vec<_>>().join(", ")
            ),
            Self::UnknownKey { nearest: None, .. }
            | Self::WrongType { .. }
            | Self::Value { .. } => {
                "the `recipe.toml` of any run lists every key; docs/recipe.md describes them"
                    .to_owned()
            }
            Self::Retired { off, .. } => {
                format!("remove it, or set it to {off}, which has no effect")
            }
            Self::Read { .. } => "check that it is there and that you may read it".to_owned(),
            Self::TooLong { .. } | Self::NotUtf8 { .. } | Self::Syntax { .. } => {
                "a recipe is a short TOML file: see the folder configs/ for examples".to_owned()
            }
            Self::NotAssignment { .. } => "for example: optimizer.momentum=0.9".to_owned(),
            Self::Refused { .. } => "change it in the recipe".to_owned(),
            Self::Model(error) => error.hint(),
            Self::Unwritable { .. } => {
                "keep integers such as `training.seed` below 2^63".to_owned()
            }
        }
    }
}
