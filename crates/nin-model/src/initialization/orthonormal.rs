//! Orthonormal weights from normal random numbers (Saxe, McClelland and Ganguli, arXiv:1312.6120).

/// Makes the rows of a `rows` x `columns` matrix orthonormal, or its columns if there are fewer of them, by the modified
/// Gram-Schmidt process.
pub(super) fn orthonormalize(values: &mut [f32], rows: usize, columns: usize) {
    let transposed = rows > columns;
    let (count, length) = if transposed { (columns, rows) } else { (rows, columns) };
    let at = |vector: usize, index: usize| {
        if transposed { index * columns + vector } else { vector * columns + index }
    };
    let mut vectors: Vec<Vec<f64>> = (0..count)
        .map(|vector| (0..length).map(|index| f64::from(values[at(vector, index)])).collect())
        .collect();
    for vector in 0..count {
        let (done, rest) = vectors.split_at_mut(vector);
        let [current, ..] = rest else { continue };
        for other in done {
            let along = dot(current, other);
            for (value, other) in current.iter_mut().zip(other) {
                *value -= along * *other;
            }
        }
        let norm = dot(current, current).sqrt();
        for value in current.iter_mut() {
            *value /= norm;
        }
    }
    for (vector, entries) in vectors.iter().enumerate() {
        for (index, &entry) in entries.iter().enumerate() {
            values[at(vector, index)] = entry as f32;
        }
    }
}

/// Returns the dot product, from eight sums that the compiler keeps in vector registers. The order is fixed.
fn dot(left: &[f64], right: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (left_eights, right_eights) = (left.chunks_exact(8), right.chunks_exact(8));
    let rest: f64 = left_eights
        .remainder()
        .iter()
        .zip(right_eights.remainder())
        .map(|(left, right)| left * right)
        .sum();
    for (left, right) in left_eights.zip(right_eights) {
        for (sum, (left, right)) in sums.iter_mut().zip(left.iter().zip(right)) {
            *sum += left * right;
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use nin_random::{Purpose, Stream};

    use super::*;

    /// Roundings to 32 bits of the entries of a unit vector, in at most 40 products.
    const TOLERANCE: f64 = 1e-6;

    #[test]
    fn the_shorter_side_is_orthonormal() {
        for (rows, columns) in [(1, 1), (3, 40), (40, 3), (17, 17)] {
            let stream = Stream::new(1, Purpose::Weights, [rows as u64, columns as u64]);
            let mut values: Vec<f32> =
                (0..rows * columns).map(|at| stream.normal(at as u64)).collect();
            orthonormalize(&mut values, rows, columns);
            let (count, length) = (rows.min(columns), rows.max(columns));
            let entry = |vector: usize, index: usize| {
                let at = if rows > columns {
                    index * columns + vector
                } else {
                    vector * columns + index
                };
                f64::from(values[at])
            };
            for first in 0..count {
                for second in 0..count {
                    let product: f64 =
                        (0..length).map(|index| entry(first, index) * entry(second, index)).sum();
                    let expected = f64::from(u8::from(first == second));
                    assert!((product - expected).abs() < TOLERANCE, "{rows}x{columns}: {product}");
                }
            }
        }
    }
}
