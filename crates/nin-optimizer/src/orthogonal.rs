//! The step of Muon: a matrix whose singular values are close to 1.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Coefficients of an odd polynomial of degree five, whose iterations take small singular values towards 1 fastest.
const COEFFICIENTS: [f64; 3] = [3.4445, -4.7750, 2.0315];
const ITERATIONS: usize = 5;
/// A matrix is divided by its norm, or by this if that is smaller.
const SMALLEST_NORM: f64 = 1e-7;

/// Replaces the singular values of a kernel by values of about 0.7 to 1.2, except for those that are some thousand times smaller
/// than the norm, which stay smaller. The kernel, `[output channels, input channels, height, width]`, is taken as a matrix
/// with a row per output channel.
///
/// Five Newton-Schulz iterations as in `torch.optim.Muon`, which computes them in bf16.
pub(crate) fn orthogonalize<B: Backend, const D: usize>(kernel: Tensor<B, D>) -> Tensor<B, D> {
    let shape = kernel.shape();
    let matrix: Tensor<B, 2> = kernel.flatten(1, D - 1);
    let [rows, columns] = matrix.dims();
    let is_tall = rows > columns;
    // The products of the shorter side are the smaller matrix.
    let matrix = if is_tall { matrix.transpose() } else { matrix };
    // Not `sum`, whose order depends on threads and on scheduling.
    let squares = (matrix.clone() * matrix.clone()).sum_dim(1).sum_dim(0);
    let mut matrix = matrix / squares.sqrt().clamp_min(SMALLEST_NORM);
    let [linear, cubic, quintic] = COEFFICIENTS;
    for _ in 0..ITERATIONS {
        let gram = matrix.clone().matmul(matrix.clone().transpose());
        let square = gram.clone().matmul(gram.clone());
        let factor = gram.mul_scalar(cubic) + square.mul_scalar(quintic);
        matrix = matrix.clone().mul_scalar(linear) + factor.matmul(matrix);
    }
    let matrix = if is_tall { matrix.transpose() } else { matrix };
    matrix.reshape(shape)
}
