//! Weights rounded to int8, and the form in which the kernels take them.

use std::collections::BTreeMap;

use crate::quantization::{
    LARGEST_ACTIVATION, LayerScales, Quantization, input_scale_name, integers, layers, scale,
    scaled, weight_name,
};
use crate::{Architecture, ModelError, Weights};

impl Weights {
    /// Returns the weights rounded to int8. `ranges` are the largest input of each layer after the first.
    ///
    /// # Errors
    /// As [`Weights::check`]; [`ModelError::MissingTensor`] where the number of ranges is not that of the layers, and
    /// [`ModelError::Scale`] for a range that is negative or not finite.
    pub fn quantized(
        &self,
        architecture: &Architecture,
        ranges: &[f32],
    ) -> Result<Self, ModelError> {
        self.check(architecture)?;
        let mut rounded = self.clone();
        let mut scales = BTreeMap::new();
        let layers = layers(architecture);
        if let Some(layer) = layers.get(ranges.len()) {
            return Err(ModelError::MissingTensor { name: input_scale_name(layer) });
        }
        for (layer, range) in layers.into_iter().zip(ranges) {
            if !(range.is_finite() && *range >= 0.0) {
                let name = input_scale_name(&layer);
                return Err(ModelError::Scale { name, position: 0, value: range.to_string() });
            }
            let Some(tensor) = self.get(&weight_name(&layer)) else { continue };
            let outputs = tensor.values.chunks(tensor.values.len() / tensor.shape[0]);
            let weights: Vec<f32> = outputs.map(scale).collect();
            let integers = integers(tensor, &weights);
            rounded.insert(weight_name(&layer), scaled(&tensor.shape, &integers, &weights));
            let input = (range / LARGEST_ACTIVATION).max(f32::MIN_POSITIVE);
            scales.insert(layer, LayerScales { input, weights });
        }
        rounded.set_quantization(Some(Quantization { layers: scales }));
        Ok(rounded)
    }
}

/// Returns the layers after the first, with integers for weights, as the kernels take them.
#[cfg(any(feature = "flex", feature = "ndarray"))]
pub(crate) fn kernel_layers(
    quantization: &Quantization,
    architecture: &Architecture,
    weights: &Weights,
) -> Option<Vec<nin_kernels::QuantizedLayer>> {
    let layer = |layer: String| {
        let weight = weights.get(&weight_name(&layer))?;
        let scales = quantization.layers.get(&layer)?;
        Some(nin_kernels::QuantizedLayer {
            shape: weight.shape.as_slice().try_into().ok()?,
            weight: integers(weight, &scales.weights),
            weight_scale: scales.weights.clone(),
            bias: weights.get(&format!("{layer}.bias"))?.values.clone(),
            input_scale: scales.input,
        })
    };
    layers(architecture).into_iter().map(layer).collect()
}
