//! How an image becomes the network's input, with all that was fitted to the training set.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{HostTensor, ModelError, Weights};

/// The tensors of a whitening, in the file of weights.
const WHITENING_MEAN: &str = "preprocessing.whitening.mean";
const WHITENING_MATRIX: &str = "preprocessing.whitening.matrix";

/// How an image becomes the network's input: resized, divided by 255, normalised, whitened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// `[height, width]` that images are resized to, with PIL's bilinear filter.
    pub input_size: [usize; 2],
    /// How pictures of any size are brought there; absent for networks that were trained on images of
    /// one size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// What becomes of values from 0 to 1.
    #[serde(default, skip_serializing_if = "Normalization::is_none")]
    pub normalization: Normalization,
    /// What becomes of them then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whitening: Option<Whitening>,
}

/// How a picture of other proportions than the input's is brought to the input's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Resized in both directions.
    Stretch,
    /// Resized to cover the input, and cut to it around the middle.
    Crop,
    /// Resized to fit into the input, in the middle of the colour of its rim.
    Pad,
}

/// What becomes of an image's values from 0 to 1.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Normalization {
    /// Nothing.
    #[default]
    None,
    /// Less the training set's mean, divided by its deviation: one of each for each channel.
    Channels {
        /// Of each channel.
        mean: Vec<f32>,
        /// Of each channel; above 0.
        deviation: Vec<f32>,
    },
    /// Global contrast normalisation: less the image's own mean, scaled to this Euclidean norm.
    Contrast {
        /// Above 0.
        scale: f32,
    },
}

impl Normalization {
    /// Whether values stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// ZCA whitening: an image's values, less a mean image, times a symmetric matrix. Both stand as
/// tensors beside the weights; clones share them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whitening {
    /// What was added to the covariance's eigenvalues.
    pub bias: f64,
    /// One value for each of an input, plane after plane, row after row.
    #[serde(skip)]
    pub mean: Arc<[f32]>,
    /// Row after row; as many rows and columns as the mean has values.
    #[serde(skip)]
    pub matrix: Arc<[f32]>,
}

impl Preprocessing {
    /// Images resized to `[height, width]`, their values from 0 to 1.
    pub fn resized(input_size: [usize; 2]) -> Self {
        Self { input_size, fit: None, normalization: Normalization::None, whitening: None }
    }

    /// Whether values stay from 0 to 1.
    pub fn is_plain(&self) -> bool {
        self.normalization.is_none() && self.whitening.is_none()
    }

    /// Adds the tensors that were fitted.
    pub(crate) fn add_tensors(&self, tensors: &mut Weights) {
        if let Some(Whitening { mean, matrix, .. }) = &self.whitening {
            let tensor = |shape, values: &[f32]| HostTensor { shape, values: values.to_vec() };
            let length = mean.len();
            tensors.insert(WHITENING_MEAN, tensor(vec![length], mean));
            tensors.insert(WHITENING_MATRIX, tensor(vec![length, length], matrix));
        }
    }

    /// Takes the tensors that were fitted out of those of a file, for inputs of so many values.
    pub(crate) fn take_tensors(
        &mut self,
        tensors: &mut Weights,
        length: usize,
    ) -> Result<(), ModelError> {
        let Some(whitening) = &mut self.whitening else { return Ok(()) };
        let mut take = |name: &str, shape: Vec<usize>| {
            let missing = || ModelError::MissingTensor { name: name.to_owned() };
            let tensor = tensors.remove(name).ok_or_else(missing)?;
            if tensor.shape != shape {
                let (name, found) = (name.to_owned(), tensor.shape);
                return Err(ModelError::TensorShape { name, expected: shape, found });
            }
            Ok(Arc::from(tensor.values))
        };
        whitening.mean = take(WHITENING_MEAN, vec![length])?;
        whitening.matrix = take(WHITENING_MATRIX, vec![length, length])?;
        Ok(())
    }

    /// What is wrong with it for inputs of this shape, if anything is.
    pub(crate) fn flaw(&self, [channels, height, width]: [usize; 3]) -> Option<String> {
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        let above = |values: &[f32]| finite(values) && values.iter().all(|value| *value > 0.0);
        let is_usable = match &self.normalization {
            Normalization::None => true,
            Normalization::Channels { mean, deviation } => {
                let lengths = [mean.len(), deviation.len()];
                lengths == [channels; 2] && finite(mean) && above(deviation)
            }
            Normalization::Contrast { scale } => above(&[*scale]),
        };
        if !is_usable {
            let found = &self.normalization;
            return Some(format!("a normalization for {channels} channel(s), found {found:?}"));
        }
        let Whitening { bias, mean, matrix } = self.whitening.as_ref()?;
        let length = channels * height * width;
        let fits = mean.len() == length && length.checked_mul(length) == Some(matrix.len());
        let is_usable = fits && bias.is_finite() && finite(mean) && finite(matrix);
        (!is_usable).then(|| format!("a whitening of finite numbers for {length} values"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builtin, Initialization, ModelMetadata, Precision};

    /// A network for 3x8x8 with a whitening, and its weights.
    fn whitened() -> (ModelMetadata, Weights) {
        let architecture = Builtin::PaperCifar10.architecture(3, 10).unwrap();
        let weights = Initialization::Xavier.weights(&architecture, 1);
        let value = |at: usize| (at % 7) as f32 - 3.0;
        let preprocessing = Preprocessing {
            normalization: Normalization::Contrast { scale: 55.0 },
            whitening: Some(Whitening {
                bias: 0.1,
                mean: (0..192).map(value).collect(),
                matrix: (0..192 * 192).map(value).collect(),
            }),
            ..Preprocessing::resized([8, 8])
        };
        let metadata = ModelMetadata {
            classes: (0..10).map(|class| class.to_string()).collect(),
            dataset: "cifar10".to_owned(),
            preprocessing,
            precision: Precision::Fp32,
            architecture,
        };
        (metadata, weights)
    }

    #[test]
    fn what_was_fitted_is_in_the_file_of_weights() {
        let (mut metadata, weights) = whitened();
        let bytes = metadata.to_safetensors(&weights).unwrap();
        let read = ModelMetadata::from_safetensors(&bytes).unwrap();
        assert_eq!(read, (metadata.clone(), weights.clone()));
        assert_eq!(read.0.to_safetensors(&weights).unwrap(), bytes);

        let (mean, deviation) = (vec![0.1, 0.2, 0.3], vec![0.4, 0.5, 0.6]);
        metadata.preprocessing = Preprocessing {
            normalization: Normalization::Channels { mean, deviation },
            ..Preprocessing::resized([8, 8])
        };
        let bytes = metadata.to_safetensors(&weights).unwrap();
        assert_eq!(ModelMetadata::from_safetensors(&bytes).unwrap(), (metadata, weights));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (metadata, weights) = whitened();
        let (mut tensors, header) =
            Weights::from_safetensors(&metadata.to_safetensors(&weights).unwrap()).unwrap();
        let read = |tensors: &Weights| {
            let bytes = tensors.to_safetensors("nin", &header["nin"]).unwrap();
            ModelMetadata::from_safetensors(&bytes).unwrap_err().to_string()
        };
        let matrix = tensors.remove(WHITENING_MATRIX).unwrap();
        assert!(read(&tensors).contains(WHITENING_MATRIX), "{}", read(&tensors));
        tensors.insert(WHITENING_MATRIX, HostTensor { shape: vec![96, 384], ..matrix.clone() });
        assert!(read(&tensors).contains("[96, 384]"), "{}", read(&tensors));
        let mut values = matrix.values;
        values[5] = f32::NAN;
        tensors.insert(WHITENING_MATRIX, HostTensor { shape: vec![192, 192], values });
        assert!(read(&tensors).contains("finite numbers for 192 values"), "{}", read(&tensors));

        for (mean, deviation) in [(vec![0.0; 2], vec![1.0; 3]), (vec![0.0; 3], vec![1.0, 0.0, 1.0])]
        {
            let mut metadata = metadata.clone();
            metadata.preprocessing = Preprocessing {
                normalization: Normalization::Channels { mean, deviation },
                ..Preprocessing::resized([8, 8])
            };
            let error = metadata.to_safetensors(&weights).unwrap_err().to_string();
            assert!(error.contains("normalization for 3 channel(s)"), "{error}");
        }
    }
}
