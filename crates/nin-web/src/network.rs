//! A network that answers with JSON.

use burn::tensor::Tensor;
use burn_flex::{Flex, FlexDevice};
use nin_model::{InferencePlan, ModelError, ModelMetadata, NetworkInNetwork};
use nin_picture::Picture;
use nin_prediction::{
    Answer, Inversion, NO_FILE, Prediction, PredictionError, Preparation, Threshold, answers,
};
use serde_json::json;

/// A network of a `.safetensors` file, ready to classify pictures.
pub struct Network {
    plan: InferencePlan<Flex>,
    metadata: ModelMetadata,
}

impl Network {
    /// Reads the network of a `.safetensors` file.
    ///
    /// # Errors
    /// As [`ModelMetadata::from_safetensors`] and [`InferencePlan::new`].
    pub fn open(bytes: &[u8]) -> Result<Self, ModelError> {
        let (metadata, weights) = ModelMetadata::from_safetensors(bytes)?;
        let network =
            NetworkInNetwork::from_weights(&metadata.architecture, &weights, &FlexDevice)?
                .with_precision(metadata.precision);
        Ok(Self { plan: InferencePlan::new(network)?, metadata })
    }

    /// Classifies the bytes of a picture file. Returns the body that `nin-cli serve` sends for it: the `top` most probable
    /// classes, each with its map.
    ///
    /// # Errors
    /// [`PredictionError`] if the picture cannot be decoded or prepared, or the network fails.
    pub fn predict(
        &self,
        picture: &[u8],
        top: usize,
        inversion: Inversion,
        threshold: Option<Threshold>,
    ) -> Result<String, PredictionError> {
        let preparation = Preparation::new(&self.metadata).with_inversion(inversion);
        let prepared = Picture::decode_then(picture, |picture| preparation.prepare(picture))??;
        let images = Tensor::from_data(preparation.batch(&[&prepared]), &FlexDevice);
        let predictions = Prediction::of_maps(&self.plan.class_maps(images), true)?;
        let images: Vec<_> = predictions
            .into_iter()
            .map(|prediction| {
                let answer = Answer {
                    name: NO_FILE.to_owned(),
                    size: prepared.original_size,
                    inverted: prepared.inverted,
                    prediction,
                };
                answer.as_json(&self.metadata, top, threshold)
            })
            .collect();
        Ok(answers(&images, &[]).to_string())
    }
}

/// Returns a problem as JSON, with the keys of `nin-cli serve`'s problem details that the page shows.
pub fn problem(detail: &str, hint: &str) -> String {
    json!({ "detail": detail, "hint": hint }).to_string()
}
