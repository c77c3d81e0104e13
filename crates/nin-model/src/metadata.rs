//! What a file of weights says about itself, so that it is all that an evaluation needs.

use std::collections::HashMap;
use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::preprocessing::{add_tensors, take_tensors};
use crate::{Architecture, ModelError, Precision, Preprocessing, Weights};

/// The key of the safetensors metadata under which [`ModelMetadata`] stands as JSON.
const KEY: &str = "nin";

/// Data sets of light things on black ground.
const BLACK_GROUND: [&str; 3] = ["fashion-mnist", "fashion-mnist-sample", "mnist"];

/// Images are resized to no larger side, so that a file cannot ask for all memory.
pub const LARGEST_SIDE: usize = 4096;

/// Everything but the weights: architecture, classes, preprocessing and where it was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelMetadata {
    /// The network.
    pub architecture: Architecture,
    /// The name of each class, in the order of the logits.
    pub classes: Vec<String>,
    /// The data set that it was trained on; what `eval` takes unless told otherwise.
    pub dataset: String,
    /// How images become inputs.
    pub preprocessing: Preprocessing,
    /// What it was trained in, and is to be run in.
    #[serde(default, skip_serializing_if = "Precision::is_fp32")]
    pub precision: Precision,
}

impl ModelMetadata {
    /// The bytes of a `model.safetensors`: weights, what the preprocessing was fitted to, and this as
    /// metadata. Equal states are equal bytes.
    ///
    /// # Errors
    /// [`ModelError::Metadata`], and as [`Weights::check`]: nothing is written that could not be read
    /// back.
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

    /// Weights and metadata of a `model.safetensors`.
    ///
    /// # Errors
    /// Those of [`Weights::from_safetensors`] and [`Weights::check`], and
    /// [`ModelError::Metadata`] where the file is not one of ours.
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

    /// Whether the network was trained on light things on black ground, so that a picture of dark things on
    /// light ground has to be inverted: MNIST and Fashion-MNIST. One that was trained on pictures takes them
    /// as they are.
    pub fn has_black_ground(&self) -> bool {
        self.preprocessing.fit.is_none() && BLACK_GROUND.contains(&self.dataset.as_str())
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
        self.check_size()?;
        if let Some(flaw) = self.preprocessing.flaw(self.input()) {
            return Err(unusable(&format!("expected {flaw}")));
        }
        self.architecture.shapes(self.input()).map_err(|error| unusable(&error))?;
        Ok(())
    }

    /// That its images are none too large.
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
