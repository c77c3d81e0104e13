//! ZCA whitening (Bell and Sejnowski, "The independent components of natural scenes are edge filters",
//! 1997; Krizhevsky 2009, appendix A), as in pylearn2's `ZCA`. With the covariance C of the training images,
//! an image x becomes W (x - mean), where W = (C + bias I)^(-1/2).
//!
//! Coupled Newton-Schulz iterations compute the root with matrix products alone (Higham, "Functions of
//! Matrices", 2008, section 6.3 and theorem 6.9); docs/adr/0030 explains why. The result agrees with the
//! eigendecomposition V diag(1/sqrt(e)) V' to the precision of a 32-bit float.

use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis};
use serde::{Deserialize, Serialize};

/// The largest number of values per image. A larger matrix takes gigabytes and hours.
pub const LARGEST_WHITENED: usize = 4096;

/// The iteration has converged when no entry of W W (C + bias I) differs from the identity by more.
const RESIDUAL: f64 = 1e-9;
/// Each iteration more than doubles the smallest eigenvalue until it is near 1, so a condition number of
/// 10^16 takes about fifty.
const MOST_ITERATIONS: usize = 100;

/// ZCA whitening: subtracts a mean image and multiplies by a symmetric matrix. Clones share both. Serde
/// skips both; `nin-model` stores them as tensors next to the weights.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whitening {
    /// The bias added to each eigenvalue of the covariance.
    pub bias: f64,
    /// The mean image, `[channels, height, width]` in row-major order.
    #[serde(skip)]
    pub mean: Arc<[f32]>,
    /// The matrix W in row-major order, square, with one row per value of the mean.
    #[serde(skip)]
    pub matrix: Arc<[f32]>,
}

/// Why a whitening cannot be fitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot whiten the images: {reason}")]
pub struct WhiteningError {
    /// What went wrong.
    pub reason: String,
}

impl Whitening {
    /// Fits a whitening to training images of `length` values each. `blocks` is called twice, once for the
    /// mean and once for the covariance, and yields blocks of consecutive images. `bias` is added to each
    /// eigenvalue of the covariance.
    ///
    /// # Errors
    /// Returns [`WhiteningError`] if there are no images, if `length` is 0 or above [`LARGEST_WHITENED`], or
    /// if the iteration does not converge.
    pub fn fit<I: Iterator<Item = Vec<f32>>>(
        blocks: impl Fn() -> I,
        length: usize,
        bias: f64,
    ) -> Result<Self, WhiteningError> {
        let refused = |reason: String| WhiteningError { reason };
        if length == 0 || length > LARGEST_WHITENED {
            let most = LARGEST_WHITENED;
            return Err(refused(format!("expected images of 1 to {most} values, found {length}")));
        }
        let mut sum = Array1::<f64>::zeros(length);
        let mut count = 0.0;
        for block in blocks() {
            let block = images(&block, length);
            sum += &block.sum_axis(Axis(0));
            count += block.nrows() as f64;
        }
        if count == 0.0 {
            return Err(refused("there are no images".to_owned()));
        }
        let mean = sum / count;
        let mut covariance = Array2::<f64>::zeros((length, length));
        for block in blocks() {
            let centred = images(&block, length) - &mean;
            covariance += &centred.t().dot(&centred);
        }
        covariance /= count;
        covariance.diag_mut().map_inplace(|value| *value += bias);
        let root = inverse_square_root(&covariance).map_err(refused)?;
        Ok(Self {
            bias,
            mean: mean.iter().map(|&value| value as f32).collect(),
            matrix: root.iter().map(|&value| value as f32).collect(),
        })
    }

    /// Returns whether the parameters are finite and match images of `length` values.
    pub(crate) fn is_usable(&self, length: usize) -> bool {
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        let fits =
            self.mean.len() == length && length.checked_mul(length) == Some(self.matrix.len());
        fits && self.bias.is_finite() && finite(&self.mean) && finite(&self.matrix)
    }

    /// Whitens consecutive images in place.
    ///
    /// # Panics
    /// Panics if the number of values is not a multiple of the length of the mean, or if the mean is empty
    /// or does not match the matrix.
    pub fn apply(&self, values: &mut [f32]) {
        let length = self.mean.len();
        assert!(values.len().is_multiple_of(length), "whitening expects images of {length} values");
        let count = values.len() / length;
        let (Ok(mut images), Ok(matrix)) = (
            ArrayViewMut2::from_shape((count, length), values),
            ArrayView2::from_shape((length, length), &self.matrix),
        ) else {
            panic!("a whitening of {length} values has a matrix of {}", self.matrix.len());
        };
        let centred = &images - &ArrayView1::from(&self.mean[..]);
        images.assign(&centred.dot(&matrix));
    }
}

/// Converts a block to 64-bit floats, `[images, length]`. Drops an incomplete last image.
fn images(block: &[f32], length: usize) -> Array2<f64> {
    let count = block.len() / length;
    ArrayView2::from_shape((count, length), &block[..count * length])
        .map_or_else(|_| Array2::zeros((0, length)), |view| view.mapv(f64::from))
}

/// Computes A^(-1/2) of a symmetric positive definite matrix.
fn inverse_square_root(matrix: &Array2<f64>) -> Result<Array2<f64>, String> {
    let identity = Array2::<f64>::eye(matrix.nrows());
    // No eigenvalue exceeds the largest absolute row sum.
    let row = |row: ndarray::ArrayView1<f64>| row.iter().map(|value| value.abs()).sum::<f64>();
    let bound = matrix.rows().into_iter().map(row).fold(0.0, f64::max);
    let (mut root, mut inverse) = (matrix / bound, identity.clone());
    for _ in 0..MOST_ITERATIONS {
        let product = inverse.dot(&root);
        let difference = &identity - &product;
        // `f64::max` ignores NaN, so the check below also asks for finite values.
        let residual = difference.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        if residual < RESIDUAL && difference.iter().all(|value| value.is_finite()) {
            let symmetric = (&inverse + &inverse.t()) / 2.0;
            return Ok(symmetric / bound.sqrt());
        }
        let step = &identity + &(difference / 2.0); // (3 I - inverse root) / 2
        root = root.dot(&step);
        inverse = step.dot(&inverse);
    }
    Err("the covariance has no inverse square root; try a larger bias".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images of three values; the second value correlates with the first.
    fn blocks() -> impl Iterator<Item = Vec<f32>> {
        let value = |at: usize| ((at * 7919 % 101) as f32) / 101.0;
        let image = move |at: usize| {
            let (one, other) = (value(3 * at), value(3 * at + 2));
            [one, 0.9 * one + 0.1 * value(3 * at + 1), other]
        };
        (0..10).map(move |block| (0..20).flat_map(|at| image(20 * block + at)).collect())
    }

    #[test]
    fn whitened_images_are_uncorrelated() {
        /// Covers a bias of 1e-6 against the smallest variance, and 32-bit rounding.
        const TOLERANCE: f32 = 5e-3;
        let whitening = Whitening::fit(blocks, 3, 1e-6).unwrap();
        let mut values: Vec<f32> = blocks().flatten().collect();
        whitening.apply(&mut values);
        let images: Vec<_> = values.chunks_exact(3).collect();
        for one in 0..3 {
            for other in 0..3 {
                let products = images.iter().map(|image| image[one] * image[other]);
                let covariance = products.sum::<f32>() / images.len() as f32;
                let expected = f32::from(u8::from(one == other));
                assert!((covariance - expected).abs() < TOLERANCE, "{one} {other}: {covariance}");
            }
        }
        // An image whitened alone gives the same values as in a batch.
        let mut alone: Vec<f32> = blocks().next().unwrap()[..3].to_vec();
        whitening.apply(&mut alone);
        assert_eq!(alone, values[..3]);
    }

    #[test]
    fn fitting_reports_why_it_fails() {
        let fails = |length| Whitening::fit(blocks, length, 0.1).unwrap_err().to_string();
        assert!(fails(5000).contains("expected images of 1 to 4096 values, found 5000"));
        let none = || std::iter::empty::<Vec<f32>>();
        assert!(Whitening::fit(none, 3, 0.1).unwrap_err().to_string().contains("no images"));
        let short = Whitening { mean: [0.0; 3].into(), matrix: [0.0; 8].into(), bias: 0.0 };
        assert!(!short.is_usable(3));
    }
}
