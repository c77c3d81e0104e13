//! Predicts pictures with a network on a device.

use std::path::Path;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use nin_data::{Picture, PictureError};
use nin_model::{InferencePlan, ModelError, ModelMetadata, NetworkInNetwork, Weights};
use nin_prediction::{Prediction, PredictionError, Preparation, Prepared};

use crate::{TrainError, load_model};

/// A trained network on a device, to classify pictures.
///
/// ```no_run
/// use burn_flex::{Flex, FlexDevice};
/// use nin_train::Predictor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let predictor = Predictor::<Flex>::open("runs/photos".as_ref(), &FlexDevice)?;
/// let prediction = predictor.predict_file("cat.jpg".as_ref())?;
/// for class in prediction.top(3) {
///     println!("{}: {:.3}", predictor.classes()[class], prediction.probabilities[class]);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Predictor<B: Backend> {
    plan: InferencePlan<B>,
    classes: Vec<String>,
    preparation: Preparation,
    device: B::Device,
    keeps_maps: bool,
}

impl<B: Backend> Predictor<B> {
    /// Loads the network at a path: a run's folder (its best checkpoint, or its latest), a checkpoint's folder, or a
    /// `.safetensors` file.
    ///
    /// # Errors
    /// Those of [`load_model`]; [`TrainError::Weights`] if the weights do not fit the architecture.
    pub fn open(path: &Path, device: &B::Device) -> Result<Self, TrainError> {
        let (metadata, weights) = load_model(path)?;
        Self::new(&metadata, &weights, device)
            .map_err(|source| TrainError::Weights { path: path.to_owned(), source })
    }

    /// Creates the network of these weights on a device.
    ///
    /// # Errors
    /// Those of [`NetworkInNetwork::from_weights`] and [`InferencePlan::new`].
    pub fn new(
        metadata: &ModelMetadata,
        weights: &Weights,
        device: &B::Device,
    ) -> Result<Self, ModelError> {
        let network = NetworkInNetwork::from_weights(&metadata.architecture, weights, device)?
            .with_precision(metadata.precision);
        Ok(Self {
            plan: InferencePlan::new(network)?,
            classes: metadata.classes.clone(),
            preparation: Preparation::new(metadata),
            device: device.clone(),
            keeps_maps: true,
        })
    }

    /// Replaces the preparation of pictures.
    #[must_use]
    pub fn with_preparation(self, preparation: Preparation) -> Self {
        Self { preparation, ..self }
    }

    /// Drops the class maps from predictions, to save memory with many pictures.
    #[must_use]
    pub fn without_maps(self) -> Self {
        Self { keeps_maps: false, ..self }
    }

    /// Returns the names of the classes, in the order of logits and probabilities.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Returns how pictures are prepared.
    pub fn preparation(&self) -> &Preparation {
        &self.preparation
    }

    /// Predicts a decoded picture.
    ///
    /// # Errors
    /// [`PredictionError`] if the picture cannot be prepared or the network fails.
    pub fn predict(&self, picture: &Picture) -> Result<Prediction, PredictionError> {
        self.predict_one(&self.preparation.prepare(picture.clone())?)
    }

    fn predict_one(&self, picture: &Prepared) -> Result<Prediction, PredictionError> {
        let mut predictions = self.predict_prepared(&[picture])?;
        predictions.pop().ok_or_else(|| {
            let (name, reason) = ("class maps".to_owned(), "they are empty".to_owned());
            ModelError::Device { name, reason }.into()
        })
    }

    /// Predicts an encoded picture in memory, such as the content of a JPEG file.
    ///
    /// # Errors
    /// [`PredictionError`] if the picture cannot be decoded or prepared, or the network fails.
    pub fn predict_bytes(&self, bytes: &[u8]) -> Result<Prediction, PredictionError> {
        let prepare = |picture| self.preparation.prepare(picture);
        self.predict_one(&Picture::decode_then(bytes, prepare)??)
    }

    /// Predicts a picture file.
    ///
    /// # Errors
    /// [`PredictionError`] if the file cannot be read, decoded or prepared, or the network fails.
    pub fn predict_file(&self, path: &Path) -> Result<Prediction, PredictionError> {
        let bytes = std::fs::read(path).map_err(|source| PictureError::Unreadable { source })?;
        self.predict_bytes(&bytes)
    }

    /// Predicts prepared pictures of one size in one batch.
    ///
    /// # Errors
    /// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if the class maps cannot be read from the device,
    /// [`ModelError::NonFiniteAnswers`] if a logit is not finite.
    pub fn predict_prepared(&self, pictures: &[&Prepared]) -> Result<Vec<Prediction>, ModelError> {
        if pictures.is_empty() {
            return Ok(Vec::new());
        }
        let images = self.preparation.batch(pictures);
        self.answer(Tensor::from_data(images, &self.device))
    }

    /// Predicts a preprocessed batch, such as a data loader's, of shape `[batch, channels, height, width]`.
    ///
    /// # Errors
    /// [`ModelError::DeviceFailed`] or [`ModelError::Device`] if the class maps cannot be read from the device,
    /// [`ModelError::NonFiniteAnswers`] if a logit is not finite.
    pub fn answer(&self, images: Tensor<B, 4>) -> Result<Vec<Prediction>, ModelError> {
        Prediction::of_maps(&self.plan.class_maps(images), self.keeps_maps)
    }
}
