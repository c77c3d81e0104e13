//! Embedded trained networks, and the sources of a command's network.

use std::ffi::OsString;
use std::path::{Path, PathBuf, is_separator};

use anyhow::Context;
use clap::builder::{OsStringValueParser, TypedValueParser};
use nin_model::{ModelMetadata, Weights};
use nin_train::load_model;

use crate::error::check_is_local;

/// The prefix of a name, as opposed to a path.
const PREFIX: &str = "pretrained:";

/// The folder of named networks that are not embedded, relative to the working directory.
const WEIGHTS_FOLDER: &str = "weights";

/// The default network.
pub const PRETRAINED_DEFAULT: &str = "pretrained:record-fashion-mnist";

/// An embedded network. Its model card is in `weights/README.md`.
#[derive(Debug, PartialEq, Eq)]
pub struct Pretrained {
    /// The name of the recipe that trained it.
    name: &'static str,
    safetensors: &'static [u8],
}

const PRETRAINED: [Pretrained; 1] = [Pretrained {
    name: "record-fashion-mnist",
    safetensors: include_bytes!("../weights/record-fashion-mnist.safetensors"),
}];

/// The source of a command's network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// A run folder, a checkpoint folder or a `.safetensors` file.
    Path(PathBuf),
    /// An embedded network.
    Pretrained(&'static Pretrained),
}

impl ModelSource {
    /// Returns the parser for the command line: a path, or `pretrained:NAME` for an embedded network or one in
    /// [`WEIGHTS_FOLDER`].
    pub fn parser() -> impl TypedValueParser<Value = Self> {
        OsStringValueParser::new().try_map(Self::parse)
    }

    /// Parses a command line argument.
    ///
    /// # Errors
    /// `pretrained:` is followed by an unknown name.
    pub fn parse(given: OsString) -> Result<Self, String> {
        let Some(name) = given.to_str().and_then(|given| given.strip_prefix(PREFIX)) else {
            return Ok(Self::Path(given.into()));
        };
        if let Some(network) = PRETRAINED.iter().find(|network| network.name == name) {
            return Ok(Self::Pretrained(network));
        }
        if name.contains(is_separator) {
            return Err(format!("`{name}` is a path, not a name; omit `{PREFIX}`"));
        }
        let file = Path::new(WEIGHTS_FOLDER).join(format!("{name}.safetensors"));
        if file.is_file() {
            return Ok(Self::Path(file));
        }
        let names = PRETRAINED.each_ref().map(|network| network.name).join(", ");
        Err(format!(
            "no embedded network has this name (available: {names}), and there is no file `{}`",
            file.display()
        ))
    }

    /// Returns the path of a network that is not embedded.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Pretrained(_) => None,
        }
    }

    /// Loads the metadata and the weights.
    ///
    /// # Errors
    /// There is no checkpoint at the path, or it is damaged.
    pub fn load(&self) -> anyhow::Result<(ModelMetadata, Weights)> {
        match self {
            Self::Path(path) => {
                check_is_local(path)?;
                Ok(load_model(path)?)
            }
            Self::Pretrained(network) => ModelMetadata::from_safetensors(network.safetensors)
                .with_context(|| format!("the embedded {PREFIX}{}", network.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_network_loads() {
        ModelSource::parse(PRETRAINED_DEFAULT.into()).unwrap();
        for network in &PRETRAINED {
            let source = ModelSource::parse(format!("{PREFIX}{}", network.name).into()).unwrap();
            let (metadata, weights) = source.load().unwrap();
            weights.check(&metadata.architecture).unwrap();
        }
    }

    #[test]
    fn arguments_without_the_prefix_are_paths() {
        assert_eq!(ModelSource::parse("runs/a".into()), Ok(ModelSource::Path("runs/a".into())));
        let error = ModelSource::parse("pretrained:nothing".into()).unwrap_err();
        assert!(error.contains("record-fashion-mnist"), "{error}");
    }
}
