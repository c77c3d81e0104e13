//! Buffers times a factor against plain loops.

use nin_gpu::{Error, scaled};

use crate::adapter::{client, read, write};
use crate::oracle::numbers;

#[test]
fn more_buffers_than_a_dispatch_takes() {
    const FACTOR: f32 = 0.37;
    let Some(client) = client() else { return };
    let buffers: Vec<Vec<f32>> =
        (0..70).map(|at| numbers([1, 300, 256][at % 3] + at, at as u32)).collect();
    let handles: Vec<_> = buffers.iter().map(|values| write(&client, values)).collect();
    let of_lens: Vec<_> = handles.iter().zip(buffers.iter().map(Vec::len)).collect();
    let found = scaled(&client, &of_lens, FACTOR).unwrap();
    assert_eq!(found.len(), buffers.len());
    for ((found, handle), values) in found.into_iter().zip(handles).zip(buffers) {
        let expected: Vec<f32> = values.iter().map(|value| value * FACTOR).collect();
        assert_eq!(read(&client, found), expected);
        assert_eq!(read(&client, handle), values, "the operand stays");
    }
}

#[test]
fn a_buffer_that_is_too_short_is_refused() {
    let Some(client) = client() else { return };
    let values = write(&client, &[1.0; 3]);
    let error = scaled(&client, &[(&values, 4)], 1.0).unwrap_err();
    assert_eq!(error, Error::Length { what: "a buffer", found: 3, expected: 4 });
}
