//! Orthogonalization by Newton-Schulz iterations, the core of Muon.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Coefficients of x, x³ and x⁵, chosen for a steep slope at 0 (Jordan et al., 2024).
const COEFFICIENTS: [f64; 3] = [3.4445, -4.7750, 2.0315];
const ITERATIONS: usize = 5;
/// The least norm that a matrix is divided by, so that zeros stay zeros.
const SMALLEST_NORM: f64 = 1e-7;

/// Moves the singular values of a matrix to about 0.7 to 1.2, and leaves its singular vectors as they are. Singular values below
/// about a thousandth of the norm end up smaller.
///
/// Five iterations in the precision of the tensor; `torch.optim.Muon` computes the same in bf16.
pub(crate) fn orthogonalize<B: Backend>(matrix: Tensor<B, 2>) -> Tensor<B, 2> {
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
    if is_tall { matrix.transpose() } else { matrix }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use burn_flex::{Flex, FlexDevice};

    use super::*;

    fn orthogonalized<const R: usize, const C: usize>(matrix: [[f32; C]; R]) -> Vec<f32> {
        let matrix: Tensor<Flex, 2> = Tensor::from_data(TensorData::from(matrix), &FlexDevice);
        orthogonalize(matrix).into_data().to_vec().unwrap()
    }

    /// The polynomial is odd, so a diagonal matrix stays diagonal.
    #[test]
    fn singular_values_move_towards_one_and_vectors_stay() {
        let values = orthogonalized([[30.0, 0.0, 0.0], [0.0, -5.0, 0.0], [0.0, 0.0, 0.5]]);
        for (index, value) in values.into_iter().enumerate() {
            match index {
                0 | 8 => assert!((0.65..1.25).contains(&value), "{index} {value}"),
                4 => assert!((0.65..1.25).contains(&-value), "{index} {value}"),
                _ => assert_eq!(value, 0.0, "{index}"),
            }
        }
    }

    #[test]
    fn a_tall_matrix_gives_the_transpose_of_the_wide_one() {
        let wide = orthogonalized([[1.0, 2.0, 3.0], [-2.0, 0.5, 1.0]]);
        let tall = orthogonalized([[1.0, -2.0], [2.0, 0.5], [3.0, 1.0]]);
        assert_eq!(tall, [wide[0], wide[3], wide[1], wide[4], wide[2], wide[5]]);
    }

    #[test]
    fn zeros_stay_zeros() {
        assert_eq!(orthogonalized([[0.0; 3]; 2]), [0.0; 6]);
    }
}
