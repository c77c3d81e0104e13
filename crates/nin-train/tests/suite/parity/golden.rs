//! PyTorch's results, and the comparison with them.

use std::collections::BTreeMap;

use nin_model::{Architecture, HostTensor, Weights};
use nin_train::recipe::OptimizerRecipe;
use serde::Deserialize;

use super::inputs::hashed;

/// A training of a few steps.
#[derive(Deserialize)]
pub(super) struct Case {
    pub(super) architecture: Architecture,
    /// `[channels, height, width]` of the images.
    pub(super) input: [usize; 3],
    /// Number of images of each step.
    pub(super) batches: Vec<usize>,
    pub(super) optimizer: OptimizerRecipe,
    /// Selects images and labels, because some draws have ties that rounding decides.
    pub(super) salt: u32,
    /// The loss of each step.
    pub(super) losses: Vec<f64>,
    /// The logits of the first step.
    pub(super) logits: Vec<f64>,
    /// The gradients of the first step.
    pub(super) gradients: BTreeMap<String, Digest>,
    /// Weights minus initial weights, after each step.
    pub(super) movements: Vec<BTreeMap<String, Digest>>,
}

/// A summary of a tensor.
#[derive(Deserialize)]
pub(super) struct Digest {
    norm: f64,
    largest: f64,
    /// The values at hashed positions, in millionths of the largest value.
    values: Vec<i32>,
}

/// Tolerances relative to the norm and to the largest value of PyTorch's tensor.
#[derive(Clone, Copy)]
pub(super) struct Tolerance {
    pub(super) norm: f64,
    pub(super) value: f64,
}

/// The largest errors, for the output.
#[derive(Debug, Default)]
pub(super) struct Worst {
    norm: f64,
    value: f64,
}

impl Worst {
    pub(super) fn join(&mut self, other: &Self) {
        self.norm = self.norm.max(other.norm);
        self.value = self.value.max(other.value);
    }
}

/// Compares tensors. Fails if one differs by more than the tolerance; returns the largest error.
#[allow(clippy::too_many_arguments, reason = "both tensors, their names and the tolerance")]
pub(super) fn compare(
    what: &str,
    architecture: &Architecture,
    found: &Weights,
    expected: &BTreeMap<String, Digest>,
    first_salt: u32,
    tolerance: Tolerance,
) -> Worst {
    let mut worst = Worst::default();
    let parameters = architecture.parameter_shapes();
    assert_eq!(expected.len(), parameters.len(), "{what}: the number of parameters differs");
    for ((name, _), salt) in parameters.iter().zip(first_salt..) {
        let found = found.get(name).unwrap_or_else(|| panic!("{what}: no {name}"));
        let error = expected[name].error(found, salt);
        assert!(
            error.norm <= tolerance.norm && error.value <= tolerance.value,
            "{what}: {name} is off PyTorch's by {error:?}"
        );
        worst.join(&error);
    }
    worst
}

impl Digest {
    fn error(&self, found: &HostTensor, salt: u32) -> Worst {
        let Self { norm, largest, values } = self;
        // If PyTorch's tensor is zero, ours must be zero too.
        let share = |error: f64, whole: f64| if error == 0.0 { 0.0 } else { error / whole };
        let found = &found.values;
        let found_norm = found.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        let value = values
            .iter()
            .enumerate()
            .map(|(at, &millionths)| {
                let found = f64::from(found[hashed(at, salt) as usize % found.len()]);
                share((found - f64::from(millionths) * 1e-6 * largest).abs(), *largest)
            })
            .fold(0.0, f64::max);
        Worst { norm: share((found_norm - norm).abs(), *norm), value }
    }
}
