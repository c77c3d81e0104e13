//! Sums of buffers against plain loops.

use nin_gpu::{Error, Sums};

use crate::adapter::{client, read, write};
use crate::oracle::numbers;

/// Of the sum of magnitudes: roundings of sums of some ten values in a thread, then of a tree.
const TOLERANCE: f64 = 1e-6;

/// Returns the sum of each buffer and that of its squares.
fn sums(buffers: &[Vec<f32>]) -> Option<Vec<f32>> {
    let client = client()?;
    let handles: Vec<_> = buffers.iter().map(|values| write(&client, values)).collect();
    let buffers: Vec<_> = handles.iter().zip(buffers.iter().map(Vec::len)).collect();
    let Sums { parts, shape } = Sums::of(&client, &buffers).unwrap();
    let parts = read(&client, parts);
    assert_eq!(parts.len(), shape.iter().product::<usize>());
    Some(parts.chunks(shape[2]).map(|parts| parts.iter().sum()).collect())
}

#[test]
fn sums_of_more_buffers_than_a_dispatch_takes() {
    let buffers: Vec<Vec<f32>> =
        (0..70).map(|at| numbers([1, 200, 70_000][at % 3] + at, at as u32)).collect();
    let Some(found) = sums(&buffers) else { return };
    assert_eq!(found.len(), 2 * buffers.len());
    for (at, (found, buffer)) in found.chunks(2).zip(&buffers).enumerate() {
        let values = || buffer.iter().copied().map(f64::from);
        let squares = || values().map(|value| value * value);
        let magnitude: f64 = values().map(f64::abs).sum();
        let off = [
            (f64::from(found[0]) - values().sum::<f64>()).abs() / magnitude,
            (f64::from(found[1]) - squares().sum::<f64>()).abs() / squares().sum::<f64>(),
        ];
        assert!(off.iter().all(|&off| off < TOLERANCE), "buffer {at}: {off:?}");
    }
}

#[test]
fn a_value_that_is_not_finite_is_seen() {
    for (length, place, value) in [(1, 0, f32::NAN), (40_000, 39_999, f32::INFINITY)] {
        let mut buffers = vec![vec![1.0; 5], vec![0.5; length], vec![2.0; 300]];
        buffers[1][place] = value;
        let Some(found) = sums(&buffers) else { return };
        let finite: Vec<bool> = found.iter().map(|sum| sum.is_finite()).collect();
        assert_eq!(finite, [true, true, false, false, true, true]);
        assert_eq!([found[0], found[1], found[4], found[5]], [5.0, 5.0, 600.0, 1200.0]);
    }
}

#[test]
fn a_buffer_that_is_too_short_is_refused() {
    let Some(client) = client() else { return };
    let values = write(&client, &[1.0; 3]);
    let error = Sums::of(&client, &[(&values, 4)]).unwrap_err();
    assert_eq!(error, Error::Length { what: "a buffer", found: 3, expected: 4 });
}
