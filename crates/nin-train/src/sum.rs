//! The sum of a large tensor.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// From this number of values on, Burn's flex adds up in several threads.
const MANY: usize = 4 << 20;

/// Returns the sum of all values of a tensor, `[1]`, added up in an order that depends on the shape alone.
///
/// Burn's own sum of many values does not: on flex, it depends on what each thread has to do. So many values are added up row by
/// row first, with a row per index of the first dimension.
pub(crate) fn ordered_sum<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Tensor<B, 1> {
    if D == 1 || tensor.shape().num_elements() < MANY {
        return tensor.sum();
    }
    let rows: Tensor<B, 2> = tensor.flatten(1, D - 1);
    rows.sum_dim(1).sum()
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use burn_flex::{Flex, FlexDevice};

    use super::*;

    #[test]
    fn the_sum_of_many_values_does_not_depend_on_threads() {
        let shape = [600, 800, 3, 3];
        let count: usize = shape.iter().product();
        assert!(count >= MANY);
        // Multiplicative hashes, whose sum needs more digits than a 32-bit float has.
        let value = |at: usize| (at as u32).wrapping_mul(0x9e37_79b9) as f32 / 4e9;
        let values: Vec<f32> = (0..count).map(value).collect();
        let exact: f64 = values.iter().map(|&value| f64::from(value)).sum();
        let sum = |threads: usize| {
            let tensor =
                Tensor::<Flex, 4>::from_data(TensorData::new(values.clone(), shape), &FlexDevice);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| ordered_sum(tensor).into_scalar())
        };
        let alone = sum(1);
        assert!((f64::from(alone) / exact - 1.0).abs() < 1e-5, "{alone}, expected {exact}");
        for threads in [2, 3, 8] {
            assert_eq!(sum(threads).to_bits(), alone.to_bits(), "{threads} threads");
        }
    }
}
