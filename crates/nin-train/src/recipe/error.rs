//! What can be wrong with a recipe.

use std::path::PathBuf;

use nin_model::ModelError;
use thiserror::Error;

use super::builtin::BuiltinRecipe;

/// An error of a recipe; `origin` says where the key stood: a file, or the command line.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// Neither a built-in recipe nor a file has this name.
    #[error("no recipe `{name}`: neither a built-in recipe nor a file")]
    NotFound {
        /// What was asked for.
        name: String,
        /// The built-in recipe of the nearest name.
        nearest: Option<String>,
    },
    /// The file cannot be read.
    #[error("cannot read the recipe `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file is longer than any recipe.
    #[error("the recipe `{}` has {found} bytes, expected at most {expected}", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        expected: u64,
        /// Its length.
        found: u64,
    },
    /// The text is not UTF-8.
    #[error("the recipe `{origin}` is not UTF-8: byte {position} is wrong")]
    NotUtf8 {
        /// Where it came from.
        origin: String,
        /// Of the first wrong byte.
        position: usize,
    },
    /// The text is not TOML.
    #[error("`{origin}` is not TOML: {reason}")]
    Syntax {
        /// Where it came from.
        origin: String,
        /// Line, column and what is wrong there, on one line.
        reason: String,
    },
    /// No recipe has this key.
    #[error("unknown key `{key}` in `{origin}`")]
    UnknownKey {
        /// The key, with its section.
        key: String,
        /// Where it came from.
        origin: String,
        /// The known key of the nearest name.
        nearest: Option<String>,
    },
    /// Recipes had this key once; its value is not the one that switched it off.
    #[error("`{key}` in `{origin}` is {found}: recipes have this key no more")]
    Retired {
        /// The key, with its section.
        key: String,
        /// Where it came from.
        origin: String,
        /// The value that is still read.
        off: f64,
        /// The value it has.
        found: String,
    },
    /// A key holds a value of another type.
    #[error("`{key}` in `{origin}` is {found}, expected {expected}")]
    WrongType {
        /// The key, with its section.
        key: String,
        /// Where it came from.
        origin: String,
        /// The type it must have.
        expected: String,
        /// The type and value it has.
        found: String,
    },
    /// A value, or a list or table of values, is none that its key can have.
    #[error("the recipe `{origin}` has a value that cannot be used: {reason}")]
    Value {
        /// Where it came from.
        origin: String,
        /// What was found and expected, and at which key.
        reason: String,
    },
    /// `--set` without `KEY=VALUE`.
    #[error("`{text}` is not KEY=VALUE")]
    NotAssignment {
        /// What was given.
        text: String,
    },
    /// A value is refused.
    #[error("`{key}` is `{found}`, expected {expected}")]
    Refused {
        /// The key, with its section.
        key: String,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The network is refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The recipe cannot be written.
    #[error("the recipe cannot be written as TOML: {reason}")]
    Unwritable {
        /// What the writer said.
        reason: String,
    },
}

impl RecipeError {
    /// What to do about it.
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
                "the recipe.toml of any run has every key; docs/recipe.md says what each does"
                    .to_owned()
            }
            Self::Retired { off, .. } => format!("leave it out: {off} was as good as none"),
            Self::Read { .. } => "check that it is there and that you may read it".to_owned(),
            Self::TooLong { .. } | Self::NotUtf8 { .. } | Self::Syntax { .. } => {
                "a recipe is a short TOML text: see the folder configs/".to_owned()
            }
            Self::NotAssignment { .. } => "for example: optimizer.momentum=0.9".to_owned(),
            Self::Refused { .. } => "change it in the recipe".to_owned(),
            Self::Model(error) => error.hint(),
            Self::Unwritable { .. } => "please report this: every recipe can be written".to_owned(),
        }
    }
}
