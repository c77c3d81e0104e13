//! The fitted tensors of a preprocessing, in the file of weights.

use std::sync::Arc;

use nin_preprocessing::Preprocessing;

use crate::{HostTensor, ModelError, Weights};

const WHITENING_MEAN: &str = "preprocessing.whitening.mean";
const WHITENING_MATRIX: &str = "preprocessing.whitening.matrix";

/// Adds the fitted tensors to those of the network.
pub(crate) fn add_tensors(preprocessing: &Preprocessing, tensors: &mut Weights) {
    if let Some(whitening) = &preprocessing.whitening {
        let tensor = |shape, values: &[f32]| HostTensor { shape, values: values.to_vec() };
        let length = whitening.mean.len();
        tensors.insert(WHITENING_MEAN, tensor(vec![length], &whitening.mean));
        tensors.insert(WHITENING_MATRIX, tensor(vec![length, length], &whitening.matrix));
    }
}

/// Moves the fitted tensors from a file's tensors into the preprocessing, for inputs of `length` values.
pub(crate) fn take_tensors(
    preprocessing: &mut Preprocessing,
    tensors: &mut Weights,
    length: usize,
) -> Result<(), ModelError> {
    let Some(whitening) = &mut preprocessing.whitening else { return Ok(()) };
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

#[cfg(test)]
mod tests {
    use nin_preprocessing::{Normalization, Whitening};

    use super::*;
    use crate::{Builtin, Initialization, ModelMetadata, Precision};

    /// Returns a network for 3x8x8 with a whitening, and its weights.
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
