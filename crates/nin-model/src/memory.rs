//! The size of a batch that fits into memory.

use crate::{ModelError, ModelMetadata, NetworkShapes};

/// The largest memory of a batch, in bytes: 2 GiB. A constant, because the last bits of a loss depend on the size of a batch.
pub const BATCH_BYTES: u64 = 2 << 30;
/// Bytes in a 32-bit float.
const VALUE: u64 = 4;
/// Copies of an input in memory: prefetched batches, the batch itself and its tensor.
const INPUT_COPIES: u64 = 6;
/// Copies of the values of a layer: as they are, and in the layout of the kernels.
const LAYER_COPIES: u64 = 2;

impl NetworkShapes {
    /// Returns an upper bound of the memory of one image in the network, in bytes.
    pub fn bytes_per_image(&self) -> u64 {
        let input: u64 = self.input.iter().map(|&side| side as u64).product();
        let mut before = input;
        let mut largest = 0;
        for layer in &self.layers {
            largest = largest.max(before.saturating_add(layer.activations));
            before = layer.output.iter().map(|&side| side as u64).product();
        }
        let values =
            input.saturating_mul(INPUT_COPIES).saturating_add(largest.saturating_mul(LAYER_COPIES));
        values.saturating_mul(VALUE)
    }
}

impl ModelMetadata {
    /// Returns the size of a batch: `wanted`, or as many images as fit into [`BATCH_BYTES`].
    ///
    /// # Errors
    /// [`ModelError::Memory`] where a single image does not fit.
    pub fn batch_in_memory(&self, wanted: usize) -> Result<usize, ModelError> {
        let input = self.input();
        let bytes = self.architecture.shapes(input)?.bytes_per_image();
        let most = BATCH_BYTES / bytes.max(1);
        if most == 0 {
            return Err(ModelError::Memory { input, bytes, limit: BATCH_BYTES });
        }
        Ok(usize::try_from(most).map_or(wanted, |most| wanted.min(most)))
    }
}

/// Returns an empty confusion matrix, `[label][answer]`.
///
/// # Errors
/// As [`check_confusion_matrix`].
pub fn confusion_matrix(classes: usize) -> Result<Vec<Vec<usize>>, ModelError> {
    check_confusion_matrix(classes)?;
    Ok(vec![vec![0; classes]; classes])
}

/// Checks that a confusion matrix of this number of classes fits into the memory of a batch.
///
/// # Errors
/// [`ModelError::ConfusionMatrix`] where it would take more than [`BATCH_BYTES`].
pub fn check_confusion_matrix(classes: usize) -> Result<(), ModelError> {
    let bytes = (classes as u64).saturating_pow(2).saturating_mul(size_of::<usize>() as u64);
    if bytes > BATCH_BYTES {
        return Err(ModelError::ConfusionMatrix { classes, bytes, limit: BATCH_BYTES });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builtin, Precision, Preprocessing};

    fn metadata(network: Builtin, channels: usize, side: usize) -> ModelMetadata {
        ModelMetadata {
            architecture: network.architecture(channels, 10).unwrap(),
            classes: (0..10).map(|class| class.to_string()).collect(),
            dataset: "data".to_owned(),
            preprocessing: Preprocessing::resized([side, side]),
            precision: Precision::Fp32,
        }
    }

    /// The default of `eval`.
    const USUAL_BATCH: usize = 128;

    #[test]
    fn usual_batches_of_known_networks_are_kept_whole() {
        for (network, channels, side) in [
            (Builtin::D2l, 1, 224),
            (Builtin::D2l, 3, 224),
            (Builtin::PaperCifar10, 3, 32),
            (Builtin::Imagenet, 3, 224),
        ] {
            let batch = metadata(network, channels, side).batch_in_memory(USUAL_BATCH);
            assert_eq!(batch, Ok(USUAL_BATCH), "{network:?} at {side}");
        }
    }

    #[test]
    fn a_confusion_matrix_is_bounded() {
        assert_eq!(confusion_matrix(2), Ok(vec![vec![0; 2]; 2]));
        let error = confusion_matrix(65_536).unwrap_err();
        let message = "a confusion matrix of 65536 classes takes 32.0 GiB, the limit is 2.0 GiB";
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn a_batch_shrinks_and_an_image_that_is_too_large_is_refused() {
        let batch = |side| metadata(Builtin::PaperCifar10, 3, side).batch_in_memory(USUAL_BATCH);
        let small = batch(512).unwrap();
        assert!((1..USUAL_BATCH / 8).contains(&small), "{small}");
        assert!(matches!(batch(4096), Err(ModelError::Memory { input: [3, 4096, 4096], .. })));
    }
}
