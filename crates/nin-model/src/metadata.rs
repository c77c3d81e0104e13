//! What a file of weights says about itself, so that it is all that an evaluation needs.

use std::collections::HashMap;
use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::{Architecture, ModelError, Precision, Weights};

/// The key of the safetensors metadata under which [`ModelMetadata`] stands as JSON.
const KEY: &str = "nin";

/// Images are resized to no larger side, so that a file cannot ask for all memory.
pub const LARGEST_SIDE: usize = 4096;

/// How an image becomes the network's input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// `[height, width]` that images are resized to, with PIL's bilinear filter.
    pub input_size: [usize; 2],
}

/// Everything but the weights: architecture, classes, preprocessing and where it was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelMetadata {
    /// The network.
    pub architecture: Architecture,
    /// The name of each class, in the order of the logits.
    pub classes: Vec<String>,
    /// The data set that it was trained on; what `eval` takes unless told otherwise.
    pub dataset: String,
    /// How images become inputs: pixels 0..255 are divided by 255 after the resize.
    pub preprocessing: Preprocessing,
    /// What it was trained in, and is to be run in.
    #[serde(default, skip_serializing_if = "Precision::is_fp32")]
    pub precision: Precision,
}

impl ModelMetadata {
    /// The bytes of a `model.safetensors`: weights, and this as metadata. Equal states are equal
    /// bytes.
    ///
    /// # Errors
    /// [`ModelError::Metadata`], and as [`Weights::check`]: nothing is written that could not be read
    /// back.
    pub fn to_safetensors(&self, weights: &Weights) -> Result<Vec<u8>, ModelError> {
        self.check()?;
        weights.check(&self.architecture)?;
        let text = serde_json::to_string(self).map_err(|error| unusable(&error))?;
        weights.to_safetensors(KEY, &text)
    }

    /// Weights and metadata of a `model.safetensors`.
    ///
    /// # Errors
    /// Those of [`Weights::from_safetensors`] and [`Weights::check`], and
    /// [`ModelError::Metadata`] where the file is not one of ours.
    pub fn from_safetensors(bytes: &[u8]) -> Result<(Self, Weights), ModelError> {
        let (weights, metadata) = Weights::from_safetensors(bytes)?;
        let metadata = Self::parse(&metadata)?;
        weights.check(&metadata.architecture)?;
        Ok((metadata, weights))
    }

    fn parse(metadata: &HashMap<String, String>) -> Result<Self, ModelError> {
        let text = metadata.get(KEY).ok_or_else(|| ModelError::Metadata {
            key: KEY,
            reason: "it is not there".to_owned(),
        })?;
        let parsed: Self = serde_json::from_str(text).map_err(|error| unusable(&error))?;
        parsed.check()?;
        Ok(parsed)
    }

    /// `[channels, height, width]` of an input.
    pub fn input(&self) -> [usize; 3] {
        let [height, width] = self.preprocessing.input_size;
        [self.architecture.input_channels(), height, width]
    }

    /// That its parts fit each other.
    fn check(&self) -> Result<(), ModelError> {
        let (found, classes) = (self.classes.len(), self.architecture.classes());
        if found != classes {
            return Err(unusable(&format!("{found} class names for {classes} classes")));
        }
        let [_, height, width] = self.input();
        if height.max(width) > LARGEST_SIDE {
            let limits = format!("images of {height}x{width}, expected at most {LARGEST_SIDE}");
            return Err(unusable(&limits));
        }
        self.architecture.shapes(self.input()).map_err(|error| unusable(&error))?;
        Ok(())
    }
}

fn unusable(reason: &dyn Display) -> ModelError {
    ModelError::Metadata { key: KEY, reason: reason.to_string() }
}
