//! The metadata in a file of weights, which make the file sufficient for evaluation.

use std::collections::HashMap;
use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::preprocessing::{add_tensors, take_tensors};
use crate::{Architecture, ModelError, Precision, Preprocessing, Weights};

/// The key of the safetensors metadata that holds [`ModelMetadata`] as JSON.
const KEY: &str = "nin";

/// Data sets with light objects on a black background.
const BLACK_GROUND: [&str; 3] = ["fashion-mnist", "fashion-mnist-sample", "mnist"];

/// The largest side that images are resized to, so that a file cannot exhaust memory.
pub const LARGEST_SIDE: usize = 4096;

/// Everything but the weights: architecture, classes, preprocessing and data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelMetadata {
    /// The network.
    pub architecture: Architecture,
    /// The name of each class, in the order of the logits.
    pub classes: Vec<String>,
    /// The data set that the network was trained on, the default of `eval`.
    pub dataset: String,
    /// How images become inputs.
    pub preprocessing: Preprocessing,
    /// The precision of training, and of evaluation.
    #[serde(default, skip_serializing_if = "Precision::is_fp32")]
    pub precision: Precision,
}

impl ModelMetadata {
    /// Encodes a `model.safetensors`: the weights, the fitted tensors of the preprocessing, and this metadata. Equal states
    /// give equal bytes.
    ///
    /// # Errors
    /// [`ModelError::Metadata`], and as [`Weights::check`], for everything that [`from_safetensors`](Self::from_safetensors)
    /// would reject.
    pub fn to_safetensors(&self, weights: &Weights) -> Result<Vec<u8>, ModelError> {
        self.check()?;
        weights.check(&self.architecture)?;
        let text = serde_json::to_string(self).map_err(|error| unusable(&error))?;
        if self.preprocessing.whitening.is_none() {
            return weights.to_safetensors(KEY, &text);
        }
        let mut tensors = weights.clone();
        add_tensors(&self.preprocessing, &mut tensors);
        tensors.to_safetensors(KEY, &text)
    }

    /// Decodes the metadata and the weights of a `model.safetensors`.
    ///
    /// # Errors
    /// As [`Weights::from_safetensors`] and [`Weights::check`], and [`ModelError::Metadata`] where the file has no valid
    /// metadata.
    pub fn from_safetensors(bytes: &[u8]) -> Result<(Self, Weights), ModelError> {
        let (mut weights, metadata) = Weights::from_safetensors(bytes)?;
        let mut metadata = Self::parse(&metadata)?;
        let length = metadata.input().iter().product();
        take_tensors(&mut metadata.preprocessing, &mut weights, length)?;
        metadata.check()?;
        weights.check(&metadata.architecture)?;
        Ok((metadata, weights))
    }

    fn parse(metadata: &HashMap<String, String>) -> Result<Self, ModelError> {
        let text = metadata.get(KEY).ok_or_else(|| ModelError::Metadata {
            key: KEY,
            reason: "it is not there".to_owned(),
        })?;
        let parsed: Self = serde_json::from_str(text).map_err(|error| unusable(&error))?;
        parsed.check_size()?;
        Ok(parsed)
    }

    /// Returns whether the network was trained on light objects on a black background (MNIST and Fashion-MNIST), so that
    /// pictures of dark objects on a light background must be inverted. Networks trained on pictures take them as they are.
    pub fn has_black_ground(&self) -> bool {
        self.preprocessing.fit.is_none() && BLACK_GROUND.contains(&self.dataset.as_str())
    }

    /// Returns the size of an input, `[channels, height, width]`.
    pub fn input(&self) -> [usize; 3] {
        let [height, width] = self.preprocessing.input_size;
        [self.architecture.input_channels(), height, width]
    }

    /// Checks that all parts fit together.
    fn check(&self) -> Result<(), ModelError> {
        let (found, classes) = (self.classes.len(), self.architecture.classes());
        if found != classes {
            return Err(unusable(&format!("{found} class names for {classes} classes")));
        }
        self.check_size()?;
        if let Some(flaw) = self.preprocessing.flaw(self.input()) {
            return Err(unusable(&format!("expected {flaw}")));
        }
        self.architecture.shapes(self.input()).map_err(|error| unusable(&error))?;
        Ok(())
    }

    /// Checks that images are not too large.
    fn check_size(&self) -> Result<(), ModelError> {
        let [_, height, width] = self.input();
        if height.max(width) > LARGEST_SIDE {
            let limits = format!("images of {height}x{width}, expected at most {LARGEST_SIDE}");
            return Err(unusable(&limits));
        }
        Ok(())
    }
}

fn unusable(reason: &dyn Display) -> ModelError {
    ModelError::Metadata { key: KEY, reason: reason.to_string() }
}
