//! The mean of maps against plain loops.

use nin_gpu::MapMean;

use crate::adapter::{client, read, write};
use crate::oracle::{assert_close, numbers};

/// Of the largest value: roundings of a sum.
const TOLERANCE: f64 = 1e-6;

#[test]
fn means_and_their_gradients() {
    let Some(client) = client() else { return };
    for (maps, pixels) in [(1, 1), (20, 25), (300, 36), (7, 400)] {
        let values = numbers(maps * pixels, 1);
        let mean = MapMean { maps, pixels };
        let of_map = |map: &[f32]| map.iter().copied().map(f64::from).sum::<f64>() / pixels as f64;
        let expected: Vec<f64> = values.chunks(pixels).map(of_map).collect();
        let found = mean.means(&client, &write(&client, &values)).unwrap();
        assert_close("means", &read(&client, found), &expected, TOLERANCE);

        let slopes = numbers(maps, 2);
        let of_value = |at: usize| f64::from(slopes[at / pixels]) / pixels as f64;
        let expected: Vec<f64> = (0..maps * pixels).map(of_value).collect();
        let found = mean.gradient(&client, &write(&client, &slopes)).unwrap();
        assert_close("gradient", &read(&client, found), &expected, TOLERANCE);
    }
}
