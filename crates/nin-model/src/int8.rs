//! Weights rounded to int8, and the form in which the kernels take them.

use std::collections::BTreeMap;

#[cfg(any(feature = "flex", feature = "ndarray"))]
use crate::quantization::bias_name;
use crate::quantization::{
    LARGEST_ACTIVATION, LayerScales, Quantization, input_scale_name, integers, layers, scale,
    scaled, weight_name,
};
#[cfg(any(feature = "flex", feature = "ndarray"))]
use crate::weights::layer_names;
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

/// Returns whether all weights still are integers times their scales: not after training.
pub(crate) fn holds(quantization: &Quantization, weights: &Weights) -> bool {
    quantization.layers.iter().all(|(layer, scales)| {
        weights.get(&weight_name(layer)).is_some_and(|tensor| {
            let integers = integers(tensor, &scales.weights);
            scaled(&tensor.shape, &integers, &scales.weights) == *tensor
        })
    })
}

/// Returns weight and bias of the first layer, and the layers after it with integers for weights, as the kernels take them.
///
/// # Errors
/// As [`Weights::check`].
#[cfg(any(feature = "flex", feature = "ndarray"))]
pub(crate) fn kernel_layers(
    quantization: &Quantization,
    architecture: &Architecture,
    weights: &Weights,
) -> Result<([Vec<f32>; 2], Vec<nin_kernels::QuantizedLayer>), ModelError> {
    // Among others, a weight that is not finite would become an integer.
    weights.check(architecture)?;
    let tensor = |name: String| match weights.get(&name) {
        Some(tensor) => Ok(tensor),
        None => Err(ModelError::MissingTensor { name }),
    };
    let layer = |(layer, scales): (String, &LayerScales)| {
        let weight = tensor(weight_name(&layer))?;
        let [outputs, inputs, height, width] = weight.shape[..] else {
            let (name, found) = (weight_name(&layer), weight.shape.clone());
            return Err(ModelError::TensorShape { name, expected: vec![0; 4], found });
        };
        Ok(nin_kernels::QuantizedLayer {
            shape: [outputs, inputs, height, width],
            weight: integers(weight, &scales.weights),
            weight_scale: scales.weights.clone(),
            bias: tensor(bias_name(&layer))?.values.clone(),
            input_scale: scales.input,
        })
    };
    let [first, ..] = layer_names(0);
    let first = [tensor(weight_name(&first))?, tensor(bias_name(&first))?];
    let scales = |layer: String| {
        let scales = quantization.layers.get(&layer)?;
        Some((layer, scales))
    };
    let layers = layers(architecture).into_iter().filter_map(scales).map(layer);
    Ok((first.map(|tensor| tensor.values.clone()), layers.collect::<Result<_, _>>()?))
}
