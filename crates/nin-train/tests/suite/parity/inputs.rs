//! Draws weights, images and labels from an integer hash that `reference.py` also implements.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use nin_data::ImageBatch;
use nin_model::{Architecture, HostTensor, Weights};

use super::golden::Case;

/// Returns 24 random bits, by the mixer of Wellons' hash-prospector (lowbias32).
pub(super) fn hashed(at: usize, salt: u32) -> u32 {
    let mut x = (at as u32).wrapping_add(salt.wrapping_mul(0x9E37_79B9));
    x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
    x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
    (x ^ (x >> 16)) >> 8
}

/// Returns a number in `[0, 1)` that is exact in 32-bit floats.
fn uniform(at: usize, salt: u32) -> f32 {
    hashed(at, salt) as f32 / 16_777_216.0
}

/// Returns He-uniform weights and small positive biases.
pub(super) fn weights(architecture: &Architecture) -> Weights {
    let mut weights = Weights::new();
    for ((name, shape), salt) in architecture.parameter_shapes().into_iter().zip(1_u32..) {
        let count = shape.iter().product();
        let values: Vec<f32> = if shape.len() == 4 {
            let fan_in: usize = shape[1..].iter().product();
            let bound = (6.0 / fan_in as f64).sqrt() as f32;
            (0..count).map(|at| (uniform(at, salt) * 2.0 - 1.0) * bound).collect()
        } else {
            (0..count).map(|at| uniform(at, salt) * 0.125).collect()
        };
        weights.insert(name, HostTensor { shape, values });
    }
    weights
}

/// Returns the batch of a step.
pub(super) fn batch<B: Backend>(case: &Case, step: usize, device: &B::Device) -> ImageBatch<B> {
    let count = case.batches[step];
    let [channels, height, width] = case.input;
    let classes = case.architecture.classes();
    let salt = 100 * case.salt + step as u32;
    let pixels = count * channels * height * width;
    let images: Vec<f32> = (0..pixels).map(|at| uniform(at, 1000 + salt)).collect();
    let labels: Vec<usize> =
        (0..count).map(|at| hashed(at, 2000 + salt) as usize % classes).collect();
    let targets: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    let shape = [count, channels, height, width];
    ImageBatch {
        images: Tensor::from_data(TensorData::new(images, shape), device),
        targets: Tensor::<B, 1, Int>::from_data(TensorData::new(targets, [count]), device),
        labels,
        mixed: None,
        indices: (0..count).collect(),
        epoch: 1,
        step,
        place: None,
    }
}
