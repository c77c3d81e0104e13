//! Max pools against plain loops.

use nin_gpu::{Element, PoolGeometry, Pooled, Window, max_pool, max_pool_gradient, relu_gradient};

use crate::adapter::{client, client_with_f16, read, read_as, rounded, write, write_as};
use crate::oracle::numbers;

/// The maximum of each window and its place, in ceil mode: windows may extend beyond the input.
fn pooled(
    planes: usize,
    [height, width]: [usize; 2],
    window: Window,
    input: &[f32],
) -> ([usize; 2], Vec<(f32, usize)>) {
    let Window { kernel, stride, padding } = window;
    // PyTorch's ceil mode: no window starts behind the input and its padding on the left.
    let windows = |side: usize| {
        let count = (side + 2 * padding).saturating_sub(kernel).div_ceil(stride) + 1;
        if (count - 1) * stride >= side + padding { count - 1 } else { count }
    };
    let size = [windows(height), windows(width)];
    let mut maxima = Vec::new();
    for plane in 0..planes {
        for at in 0..size[0] * size[1] {
            let [top, left] = [at / size[1], at % size[1]].map(|at| at * stride);
            let mut best: Option<(f32, usize)> = None;
            for tap in 0..kernel * kernel {
                let y = (top + tap / kernel).wrapping_sub(padding);
                let x = (left + tap % kernel).wrapping_sub(padding);
                if y < height && x < width {
                    let value = input[(plane * height + y) * width + x];
                    if best.is_none_or(|(largest, _)| {
                        value > largest || (value.is_nan() && !largest.is_nan())
                    }) {
                        best = Some((value, y * width + x));
                    }
                }
            }
            maxima.push(best.unwrap());
        }
    }
    (size, maxima)
}

#[test]
fn maxima_and_gradients_are_those_of_plain_loops() {
    let Some(client) = client() else { return };
    for (kernel, stride, padding) in
        [(3, 2, 0), (3, 2, 1), (2, 2, 0), (3, 1, 1), (2, 3, 0), (5, 3, 2)]
    {
        let window = Window { kernel, stride, padding };
        for (planes, size) in [(1, [5, 5]), (6, [8, 13]), (3, [14, 6])] {
            let pixels = size[0] * size[1];
            // A ReLU's output, with values that are equal.
            let input: Vec<f32> = numbers(planes * pixels, 5)
                .into_iter()
                .map(|value| ((value * 8.0).floor() / 8.0).max(0.0))
                .collect();
            let (output_size, expected) = pooled(planes, size, window, &input);
            let geometry = PoolGeometry::new(planes, size, output_size, window).unwrap();
            let gradient = numbers(expected.len(), 6);

            let found = max_pool(&client, &geometry, &write(&client, &input)).unwrap();
            let of_input =
                max_pool_gradient(&client, &geometry, &found, &write(&client, &gradient)).unwrap();
            let name = format!("{planes} {size:?} {window:?}");
            let maxima: Vec<f32> = expected.iter().map(|(value, _)| *value).collect();
            assert_eq!(read(&client, found.maxima), maxima, "{name}");

            let mut of_expected = vec![0.0_f32; input.len()];
            for (at, (value, place)) in expected.iter().enumerate() {
                if *value > 0.0 {
                    of_expected[at / (output_size[0] * output_size[1]) * pixels + place] +=
                        gradient[at];
                }
            }
            assert_eq!(read(&client, of_input), of_expected, "{name}");
        }
    }
}

#[test]
fn a_pool_reads_and_writes_f16() {
    let Some(client) = client_with_f16() else { return };
    let window = Window { kernel: 3, stride: 2, padding: 1 };
    let (planes, size) = (3, [7, 5]);
    let len = planes * size[0] * size[1];
    let values: Vec<f32> = numbers(len, 5).into_iter().map(|value| value.max(0.0)).collect();
    let (output_size, expected) = pooled(planes, size, window, &rounded(Element::F16, &values));
    let geometry = PoolGeometry::new(planes, size, output_size, window).unwrap();
    let in_f16 = geometry.with_element(Element::F16);
    let found = max_pool(&client, &in_f16, &write_as(&client, Element::F16, &values)).unwrap();
    let maxima: Vec<f32> = expected.iter().map(|(value, _)| *value).collect();
    assert_eq!(read(&client, found.maxima.clone()), maxima);

    let gradient = write(&client, &numbers(expected.len(), 6));
    let of_input = max_pool_gradient(&client, &geometry, &found, &gradient).unwrap();
    let of_input = rounded(Element::F16, &read(&client, of_input));
    let in_f16 = max_pool_gradient(&client, &in_f16, &found, &gradient).unwrap();
    assert_eq!(read_as(&client, Element::F16, in_f16, len), of_input);
}

#[test]
fn nan_is_the_largest() {
    let Some(client) = client() else { return };
    let window = Window { kernel: 2, stride: 1, padding: 0 };
    let geometry = PoolGeometry::new(1, [2, 4], [1, 3], window).unwrap();
    let input = write(&client, &[1.0, f32::NAN, 0.5, 2.0, 3.0, 0.0, 0.0, 7.0]);
    let Pooled { maxima, .. } = max_pool(&client, &geometry, &input).unwrap();
    let maxima = read(&client, maxima);
    assert!(maxima[0].is_nan() && maxima[1].is_nan() && maxima[2] == 7.0, "{maxima:?}");
}

#[test]
fn a_relu_passes_the_gradient_of_positive_values() {
    let Some(client) = client() else { return };
    let [activations, gradient] =
        [[0.0, 2.0, 0.0, 1e-30], [1.0, -2.0, 3.0, 4.0]].map(|values| write(&client, &values));
    let before = relu_gradient(&client, 4, [&activations, &gradient]).unwrap();
    assert_eq!(read(&client, before), [0.0, -2.0, 0.0, 4.0]);
}

#[test]
fn buffers_of_more_than_one_line_of_workgroups_are_covered() {
    let Some(client) = client() else { return };
    // 65,535 workgroups of 256 threads, and some more.
    let len = 65_535 * 256 + 300;
    let activations: Vec<f32> = (0..len).map(|at| (at % 3) as f32).collect();
    let gradient: Vec<f32> = (0..len).map(|at| (at % 1021) as f32).collect();
    let buffers = [&activations, &gradient].map(|values| write(&client, values));
    let before = relu_gradient(&client, len, [&buffers[0], &buffers[1]]).unwrap();
    let expected = |at: usize| if at.is_multiple_of(3) { 0.0 } else { (at % 1021) as f32 };
    let before = read(&client, before);
    let wrong = before.iter().enumerate().find(|(at, value)| **value != expected(*at));
    assert_eq!(wrong, None);
}
