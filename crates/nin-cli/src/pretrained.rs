//! Trained networks that are part of the program, and where a command takes its network from.

use std::ffi::OsString;
use std::path::{Path, PathBuf, is_separator};

use anyhow::Context;
use clap::builder::{OsStringValueParser, TypedValueParser};
use nin_model::{ModelMetadata, Weights};
use nin_train::load_model;

use crate::error::check_is_local;

/// What a name begins with that is no path.
const PREFIX: &str = "pretrained:";

/// The folder of the named networks that are not part of the program, relative to the working one.
const WEIGHTS_FOLDER: &str = "weights";

/// The one that is taken where none is named.
pub const PRETRAINED_DEFAULT: &str = "pretrained:record-fashion-mnist";

/// A trained network that is part of the program; `weights/README.md` is its card.
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

/// Where a command takes its network from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// A run's folder, a checkpoint's folder or a `.safetensors` file.
    Path(PathBuf),
    /// One that is part of the program.
    Pretrained(&'static Pretrained),
}

impl ModelSource {
    /// How it is read from the command line: a path, or `pretrained:NAME` of a network that is part of the
    /// program or lies in [`WEIGHTS_FOLDER`].
    pub fn parser() -> impl TypedValueParser<Value = Self> {
        OsStringValueParser::new().try_map(Self::parse)
    }

    /// What [`ModelSource::parser`] reads.
    ///
    /// # Errors
    /// Where `pretrained:` is followed by no known name.
    pub fn parse(given: OsString) -> Result<Self, String> {
        let Some(name) = given.to_str().and_then(|given| given.strip_prefix(PREFIX)) else {
            return Ok(Self::Path(given.into()));
        };
        if let Some(network) = PRETRAINED.iter().find(|network| network.name == name) {
            return Ok(Self::Pretrained(network));
        }
        if name.contains(is_separator) {
            return Err(format!("`{name}` is a path, not a name; give it without `{PREFIX}`"));
        }
        let file = Path::new(WEIGHTS_FOLDER).join(format!("{name}.safetensors"));
        if file.is_file() {
            return Ok(Self::Path(file));
        }
        let names = PRETRAINED.each_ref().map(|network| network.name).join(", ");
        Err(format!(
            "no trained network of this name is part of the program (there is: {names}), nor is \
             there a file `{}`",
            file.display()
        ))
    }

    /// Where it lies, if not in the program.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Pretrained(_) => None,
        }
    }

    /// The network's weights, and what is to be known about it.
    ///
    /// # Errors
    /// Where there is no checkpoint at the path, or it is damaged.
    pub fn load(&self) -> anyhow::Result<(ModelMetadata, Weights)> {
        match self {
            Self::Path(path) => {
                check_is_local(path)?;
                Ok(load_model(path)?)
            }
            Self::Pretrained(network) => ModelMetadata::from_safetensors(network.safetensors)
                .with_context(|| format!("the program's own {PREFIX}{}", network.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_of_the_program_is_whole() {
        ModelSource::parse(PRETRAINED_DEFAULT.into()).unwrap();
        for network in &PRETRAINED {
            let source = ModelSource::parse(format!("{PREFIX}{}", network.name).into()).unwrap();
            let (metadata, weights) = source.load().unwrap();
            weights.check(&metadata.architecture).unwrap();
        }
    }

    #[test]
    fn what_has_not_the_prefix_is_a_path() {
        assert_eq!(ModelSource::parse("runs/a".into()), Ok(ModelSource::Path("runs/a".into())));
        let error = ModelSource::parse("pretrained:nothing".into()).unwrap_err();
        assert!(error.contains("record-fashion-mnist"), "{error}");
    }
}
