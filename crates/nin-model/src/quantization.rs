//! int8 weights, and the scales of weights and activations.
//!
//! A weight is the scale of its output channel times an integer from -127 to 127. An activation is the scale of its layer times
//! a byte: every activation comes from a ReLU, so none is negative. The first layer stays fp32, because its input may be
//! negative and it has few weights.

use std::collections::BTreeMap;

use crate::{Architecture, HostTensor, ModelError};

/// The largest integer of a weight.
const LARGEST_WEIGHT: f32 = 127.0;

/// The largest byte of an activation.
pub(crate) const LARGEST_ACTIVATION: f32 = 255.0;

/// The scales of the layers after the first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Quantization {
    pub(crate) layers: BTreeMap<String, LayerScales>,
}

/// The scales of a layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayerScales {
    /// Of the input.
    pub(crate) input: f32,
    /// Of the weights of each output channel.
    pub(crate) weights: Vec<f32>,
}

/// Returns the names of the layers after the first, in order.
pub(crate) fn layers(architecture: &Architecture) -> Vec<String> {
    let shapes = architecture.parameter_shapes();
    let names = shapes.iter().filter_map(|(name, _)| name.strip_suffix(".weight"));
    names.skip(1).map(str::to_owned).collect()
}

pub(crate) fn weight_name(layer: &str) -> String {
    format!("{layer}.weight")
}

#[cfg(any(feature = "flex", feature = "ndarray"))]
pub(crate) fn bias_name(layer: &str) -> String {
    format!("{layer}.bias")
}

fn weight_scale_name(layer: &str) -> String {
    format!("{layer}.weight_scale")
}

/// Returns whether a tensor of this name makes a file one of int8 weights.
pub(crate) fn is_weight_scale(name: &str) -> bool {
    name.ends_with(".weight_scale")
}

pub(crate) fn input_scale_name(layer: &str) -> String {
    format!("{layer}.input_scale")
}

/// Returns the scale of the weights of an output channel.
pub(crate) fn scale(weights: &[f32]) -> f32 {
    let largest = weights.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
    // A channel without weights has a scale as well.
    (largest / LARGEST_WEIGHT).max(f32::MIN_POSITIVE)
}

/// Returns the nearest integers.
pub(crate) fn integers(tensor: &HostTensor, scales: &[f32]) -> Vec<i8> {
    let per_output = tensor.values.len() / scales.len();
    let integer = |(index, value): (usize, &f32)| {
        let integer = (value / scales[index / per_output]).round_ties_even();
        integer.clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT) as i8
    };
    tensor.values.iter().enumerate().map(integer).collect()
}

/// Returns integers times their scales.
pub(crate) fn scaled(shape: &[usize], integers: &[i8], scales: &[f32]) -> HostTensor {
    let per_output = integers.len() / scales.len().max(1);
    let value = |(index, &integer): (usize, &i8)| f32::from(integer) * scales[index / per_output];
    let values = integers.iter().enumerate().map(value).collect();
    HostTensor { shape: shape.to_vec(), values }
}

impl Quantization {
    /// Takes the scales out of a file's tensors, and multiplies the weights, which are integers, by theirs.
    pub(crate) fn take(
        tensors: &mut BTreeMap<String, HostTensor>,
        integers: &BTreeMap<String, Vec<i8>>,
    ) -> Result<Self, ModelError> {
        let mut layers = BTreeMap::new();
        for (name, integers) in integers {
            let layer = name.strip_suffix(".weight").unwrap_or(name);
            let mut take =
                |name: String| tensors.remove(&name).ok_or(ModelError::MissingTensor { name });
            let weights = take(weight_scale_name(layer))?;
            let input = take(input_scale_name(layer))?;
            let Some(tensor) = tensors.get_mut(name) else { continue };
            check_scales(
                weight_scale_name(layer),
                &weights,
                &tensor.shape[..tensor.shape.len().min(1)],
            )?;
            check_scales(input_scale_name(layer), &input, &[1])?;
            *tensor = scaled(&tensor.shape, integers, &weights.values);
            let scales = LayerScales { input: input.values[0], weights: weights.values };
            layers.insert(layer.to_owned(), scales);
        }
        Ok(Self { layers })
    }

    /// Returns whether the weights of this name are int8.
    pub(crate) fn has(&self, name: &str) -> bool {
        name.strip_suffix(".weight").is_some_and(|layer| self.layers.contains_key(layer))
    }

    /// Returns the integers of a weight, if its layer is quantized.
    pub(crate) fn integers_of(&self, name: &str, tensor: &HostTensor) -> Option<Vec<i8>> {
        let scales = self.layers.get(name.strip_suffix(".weight")?)?;
        Some(integers(tensor, &scales.weights))
    }

    /// Returns the scales as tensors.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = (String, HostTensor)> {
        self.layers.iter().flat_map(|(layer, scales)| {
            let tensor = |values: Vec<f32>| HostTensor { shape: vec![values.len()], values };
            [
                (weight_scale_name(layer), tensor(scales.weights.clone())),
                (input_scale_name(layer), tensor(vec![scales.input])),
            ]
        })
    }

    /// Checks that exactly the layers after the first are quantized.
    pub(crate) fn check(&self, architecture: &Architecture) -> Result<(), ModelError> {
        let expected = layers(architecture);
        if let Some(missing) = expected.iter().find(|layer| !self.layers.contains_key(*layer)) {
            return Err(ModelError::MissingTensor { name: weight_scale_name(missing) });
        }
        let mut found = self.layers.keys();
        match found.find(|layer| !expected.contains(layer)) {
            Some(layer) => {
                Err(ModelError::TensorType { name: weight_name(layer), found: "I8".to_owned() })
            }
            None => Ok(()),
        }
    }
}

/// Checks that scales have a shape and are positive.
fn check_scales(name: String, scales: &HostTensor, expected: &[usize]) -> Result<(), ModelError> {
    if scales.shape != expected {
        let (expected, found) = (expected.to_vec(), scales.shape.clone());
        return Err(ModelError::TensorShape { name, expected, found });
    }
    match scales.values.iter().position(|scale| !(scale.is_finite() && *scale > 0.0)) {
        Some(position) => {
            Err(ModelError::Scale { name, position, value: scales.values[position].to_string() })
        }
        None => Ok(()),
    }
}
