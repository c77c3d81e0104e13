//! A network's answers for prepared pictures: class maps, and what follows from them.

use std::path::Path;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use nin_data::{Picture, PictureError};
use nin_model::{HostTensor, ModelError, ModelMetadata, NetworkInNetwork, Weights};

use super::{PredictionError, Preparation, Prepared};
use crate::{TrainError, load_model};

/// A trained network on its device, ready to classify pictures.
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
    network: NetworkInNetwork<B>,
    classes: Vec<String>,
    preparation: Preparation,
    device: B::Device,
    keeps_maps: bool,
}

/// What a network says about one picture.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Prediction {
    /// One for each class: the mean of its map.
    pub logits: Vec<f32>,
    /// Their softmax.
    pub probabilities: Vec<f64>,
    /// Class after class, row after row; empty where none are kept.
    maps: Vec<f32>,
    /// `[height, width]` of each map.
    map_size: [usize; 2],
}

impl<B: Backend> Predictor<B> {
    /// The network at a path: a run's folder (its best checkpoint, else its latest), a checkpoint's
    /// folder, or a `.safetensors` file.
    ///
    /// # Errors
    /// As [`load_model`]; [`TrainError::Weights`] where the network cannot be built.
    pub fn open(path: &Path, device: &B::Device) -> Result<Self, TrainError> {
        let (metadata, weights) = load_model(path)?;
        Self::new(&metadata, &weights, device)
            .map_err(|source| TrainError::Weights { path: path.to_owned(), source })
    }

    /// The network of these weights on this device.
    ///
    /// # Errors
    /// As [`NetworkInNetwork::from_weights`].
    pub fn new(
        metadata: &ModelMetadata,
        weights: &Weights,
        device: &B::Device,
    ) -> Result<Self, ModelError> {
        let network = NetworkInNetwork::from_weights(&metadata.architecture, weights, device)?
            .with_precision(metadata.precision);
        Ok(Self {
            network,
            classes: metadata.classes.clone(),
            preparation: Preparation::new(metadata),
            device: device.clone(),
            keeps_maps: true,
        })
    }

    /// The same, which prepares pictures otherwise.
    #[must_use]
    pub fn with_preparation(self, preparation: Preparation) -> Self {
        Self { preparation, ..self }
    }

    /// The same, whose predictions keep no class maps: less memory for many pictures.
    #[must_use]
    pub fn without_maps(self) -> Self {
        Self { keeps_maps: false, ..self }
    }

    /// The names of the classes, in the order of logits and probabilities.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// How pictures are prepared.
    pub fn preparation(&self) -> &Preparation {
        &self.preparation
    }

    /// The prediction for one picture.
    ///
    /// # Errors
    /// [`PredictionError`] where the picture cannot be prepared or the network cannot answer.
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

    /// The prediction for a picture in memory, such as the content of a JPEG file.
    ///
    /// # Errors
    /// [`PredictionError`] where the picture cannot be decoded or prepared, or the network cannot answer.
    pub fn predict_bytes(&self, bytes: &[u8]) -> Result<Prediction, PredictionError> {
        let prepare = |picture| self.preparation.prepare(picture);
        self.predict_one(&Picture::decode_then(bytes, prepare)??)
    }

    /// The prediction for a picture's file.
    ///
    /// # Errors
    /// [`PredictionError`] where the file cannot be read, decoded or prepared, or the network cannot answer.
    pub fn predict_file(&self, path: &Path) -> Result<Prediction, PredictionError> {
        let bytes = std::fs::read(path).map_err(|source| PictureError::Unreadable { source })?;
        self.predict_bytes(&bytes)
    }

    /// The predictions for prepared pictures of one size, in one batch.
    ///
    /// # Errors
    /// [`ModelError::Device`] where the device does not give the maps back,
    /// [`ModelError::NonFiniteAnswers`] where an answer is no finite number.
    pub fn predict_prepared(&self, pictures: &[&Prepared]) -> Result<Vec<Prediction>, ModelError> {
        let Some(first) = pictures.first() else { return Ok(Vec::new()) };
        let [height, width] = first.picture.size;
        let channels = first.picture.planes.len();
        let mut values = Vec::with_capacity(pictures.len() * channels * height * width);
        for picture in pictures {
            picture.append_values(&mut values);
        }
        self.preparation.normalize(&mut values, channels * height * width);
        let images = TensorData::new(values, [pictures.len(), channels, height, width]);
        self.answer(Tensor::from_data(images, &self.device))
    }

    /// The predictions for a batch as a loader prepares it, `[batch, channels, height, width]`.
    ///
    /// # Errors
    /// [`ModelError::Device`] where the device does not give the maps back,
    /// [`ModelError::NonFiniteAnswers`] where an answer is no finite number.
    pub fn answer(&self, images: Tensor<B, 4>) -> Result<Vec<Prediction>, ModelError> {
        let maps = self.network.class_maps(images);
        let [_, classes, map_height, map_width] = maps.dims();
        let HostTensor { values, .. } = HostTensor::read("class maps", &maps)?;
        let map_size = [map_height, map_width];
        let predictions: Vec<_> = values
            .chunks_exact(classes * map_height * map_width)
            .map(|maps| Prediction::new(maps, map_size, self.keeps_maps))
            .collect();
        let is_finite = |one: &&Prediction| one.logits.iter().all(|logit| logit.is_finite());
        let (images, finite) = (predictions.len(), predictions.iter().filter(is_finite).count());
        if finite < images {
            return Err(ModelError::NonFiniteAnswers { found: images - finite, images });
        }
        Ok(predictions)
    }
}

impl Prediction {
    fn new(maps: &[f32], map_size: [usize; 2], keeps_maps: bool) -> Self {
        let cells = map_size[0] * map_size[1];
        let mean = |map: &[f32]| map.iter().copied().map(f64::from).sum::<f64>() / cells as f64;
        let logits: Vec<f64> = maps.chunks_exact(cells).map(mean).collect();
        Self {
            probabilities: softmax(&logits),
            logits: logits.into_iter().map(|logit| logit as f32).collect(),
            maps: if keeps_maps { maps.to_vec() } else { Vec::new() },
            map_size,
        }
    }

    /// The classes with the largest logits, largest first, at most so many; of equals the first
    /// class first. A class is its place in [`Predictor::classes`].
    pub fn top(&self, count: usize) -> Vec<usize> {
        let mut classes: Vec<usize> = (0..self.logits.len()).collect();
        classes.sort_by(|&one, &other| self.logits[other].total_cmp(&self.logits[one]));
        classes.truncate(count);
        classes
    }

    /// The rows of a class's map, top to bottom; none without maps.
    pub fn map(&self, class: usize) -> Vec<Vec<f32>> {
        self.cells(class).chunks_exact(self.map_size[1]).map(<[f32]>::to_vec).collect()
    }

    /// `[height, width]` of each map.
    pub fn map_size(&self) -> [usize; 2] {
        self.map_size
    }

    /// The largest value of all maps.
    pub fn hottest(&self) -> f32 {
        self.maps.iter().copied().fold(0.0, f32::max)
    }

    /// The largest value of a class's map.
    pub fn hottest_of(&self, class: usize) -> f32 {
        self.cells(class).iter().copied().fold(0.0, f32::max)
    }

    /// A class's map, row after row.
    fn cells(&self, class: usize) -> &[f32] {
        let [height, width] = self.map_size;
        self.maps.get(class * height * width..).map_or(&[], |maps| &maps[..height * width])
    }

    /// The natural logarithm of a class's probability, finite where that rounds to 0.
    pub fn log_probability(&self, class: usize) -> f64 {
        let logits = self.logits.iter().copied().map(f64::from);
        let largest = logits.clone().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.map(|logit| (logit - largest).exp()).sum();
        f64::from(self.logits[class]) - largest - sum.ln()
    }
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_are_the_means_of_the_maps() {
        let prediction = Prediction::new(&[0.0, 1.0, 2.0, 3.0, 5.0, 5.0, 5.0, 5.0], [2, 2], true);
        assert_eq!(prediction.logits, [1.5, 5.0]);
        assert_eq!(prediction.map(0), [[0.0, 1.0], [2.0, 3.0]]);
        assert_eq!((prediction.top(9), prediction.hottest()), (vec![1, 0], 5.0));
        let expected = 1.0 / (1.0 + (-3.5_f64).exp());
        assert!((prediction.probabilities[1] - expected).abs() < 1e-12);
    }

    #[test]
    fn of_equals_the_first_class_is_first() {
        assert_eq!(Prediction::new(&[1.0, 2.0, 2.0], [1, 1], false).top(2), [1, 2]);
    }
}
