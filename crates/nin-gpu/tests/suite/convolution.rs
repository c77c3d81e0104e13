//! Convolutions against plain loops.

use nin_gpu::{ConvGeometry, Convolution, Error, Pass, TILES, Tile, Window};

use crate::adapter::{Client, client, read, write};
use crate::oracle::{self, assert_close, numbers};

/// Of the largest value: 32-bit sums of up to some thousand products in another order.
const TOLERANCE: f64 = 2e-5;

/// What a training step computes with a convolution.
#[derive(Debug, PartialEq)]
struct Step {
    output: Vec<f32>,
    of_input: Vec<f32>,
    /// With the mask of the ReLU before it.
    of_gated_input: Vec<f32>,
    of_weight: Vec<f32>,
    of_bias: Vec<f32>,
}

/// The operands of a convolution.
struct Operands {
    input: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    gradient: Vec<f32>,
}

impl Operands {
    fn of(geometry: &ConvGeometry, outputs: usize) -> Self {
        Self {
            input: numbers(geometry.input_len(), 1),
            weight: numbers(geometry.weight_len(), 2),
            // So that no output is zero because of its only input.
            bias: numbers(outputs, 3).iter().map(|value| value + 1.0).collect(),
            gradient: numbers(geometry.output_len(), 4),
        }
    }

    fn step(&self, client: &Client, convolution: &Convolution) -> Step {
        let [input, weight, bias, gradient] =
            [&self.input, &self.weight, &self.bias, &self.gradient]
                .map(|values| write(client, values));
        let output = convolution.forward(client, [&input, &weight, &bias]).unwrap();
        let of_input = convolution.input_gradient(client, [&gradient, &weight], None).unwrap();
        let of_gated =
            convolution.input_gradient(client, [&gradient, &weight], Some(&input)).unwrap();
        let of_parameters = convolution.parameter_gradients(client, [&input, &gradient]).unwrap();
        Step {
            output: read(client, output),
            of_input: read(client, of_input),
            of_gated_input: read(client, of_gated),
            of_weight: read(client, of_parameters.weight),
            of_bias: read(client, of_parameters.bias),
        }
    }
}

/// Compares a convolution with the oracle, by the tiles of the table or by the given one.
fn compare(client: &Client, sizes: &oracle::Convolution, tile: Option<Tile>) {
    let oracle::Convolution { batch, inputs, outputs, size, window } = *sizes;
    let geometry = ConvGeometry::new(batch, [inputs, outputs], size, window).unwrap();
    let operands = Operands::of(&geometry, outputs);
    let convolution = match tile {
        None => Convolution::new(geometry),
        Some(tile) => Convolution::with_tile(geometry, tile).unwrap(),
    };
    let found = operands.step(client, &convolution);

    let name = format!("{sizes:?}, {tile:?}");
    let Operands { input, weight, bias, gradient } = &operands;
    let output = sizes.forward(input, weight, bias);
    let expected = sizes.backward(input, weight, gradient);
    assert_close(&format!("{name}: output"), &found.output, &output, TOLERANCE);
    assert_close(&format!("{name}: input"), &found.of_input, &expected.input, TOLERANCE);
    assert_close(&format!("{name}: weight"), &found.of_weight, &expected.weight, TOLERANCE);
    assert_close(&format!("{name}: bias"), &found.of_bias, &expected.bias, TOLERANCE);
    for (at, (&gated, &plain)) in found.of_gated_input.iter().zip(&found.of_input).enumerate() {
        let expected = if input[at] > 0.0 { plain } else { 0.0 };
        assert_eq!(gated, expected, "{name}: gated input[{at}]");
    }
}

/// Windows of the built-in networks, and others with strides and paddings in odd relations. Kernels are compiled for each.
const WINDOWS: [Window; 8] = [
    Window { kernel: 1, stride: 1, padding: 0 },
    Window { kernel: 3, stride: 1, padding: 1 },
    Window { kernel: 5, stride: 1, padding: 2 },
    Window { kernel: 11, stride: 4, padding: 0 },
    Window { kernel: 1, stride: 2, padding: 1 },
    Window { kernel: 3, stride: 2, padding: 1 },
    Window { kernel: 5, stride: 3, padding: 3 },
    Window { kernel: 2, stride: 3, padding: 0 },
];

/// The oracle's limit, so that the test takes seconds.
const MOST_PRODUCTS: usize = 1_000_000;

#[test]
fn a_hundred_convolutions_and_their_gradients_are_those_of_plain_loops() {
    let Some(client) = client() else { return };
    let mut random = Random(1);
    for at in 0..100 {
        let window = WINDOWS[at % WINDOWS.len()];
        let smallest = window.kernel.saturating_sub(2 * window.padding).max(1);
        let mut sizes = oracle::Convolution {
            batch: random.upto(4),
            inputs: random.upto(40),
            outputs: random.upto(140),
            size: [(); 2].map(|()| smallest - 1 + random.upto(24)),
            window,
        };
        while sizes.products_len() > MOST_PRODUCTS {
            let largest = [&mut sizes.inputs, &mut sizes.outputs].into_iter().max();
            if let Some(channels) = largest {
                *channels = channels.div_ceil(2);
            }
        }
        compare(&client, &sizes, None);
    }
}

#[test]
fn every_tile_computes_the_same() {
    let Some(client) = client() else { return };
    let window = Window { kernel: 3, stride: 1, padding: 1 };
    for tile in TILES {
        // More than a tile along both axes, and no multiple of one.
        let sizes =
            oracle::Convolution { batch: 2, inputs: 3, outputs: 133, size: [9, 11], window };
        compare(&client, &sizes, Some(tile));
    }
}

#[test]
fn an_adapter_gives_the_same_bits_twice() {
    let Some(client) = client() else { return };
    let window = Window { kernel: 5, stride: 1, padding: 2 };
    let geometry = ConvGeometry::new(4, [20, 40], [30, 31], window).unwrap();
    let convolution = Convolution::new(geometry);
    // The weight gradient is the sum of several parts.
    assert!(convolution.cost(Pass::WeightGradient).workgroups > 8);
    let operands = Operands::of(&geometry, 40);
    let first = operands.step(&client, &convolution);
    assert_eq!(operands.step(&client, &convolution), first);
}

#[test]
fn nan_stays_nan() {
    let Some(client) = client() else { return };
    let window = Window { kernel: 1, stride: 1, padding: 0 };
    let geometry = ConvGeometry::new(1, [1, 2], [2, 2], window).unwrap();
    let [input, weight, bias] = [vec![1.0, f32::NAN, 2.0, -3.0], vec![1.0, -1.0], vec![0.0, 0.0]]
        .map(|values| write(&client, &values));
    let output = Convolution::new(geometry).forward(&client, [&input, &weight, &bias]).unwrap();
    let output = read(&client, output);
    assert!(output[1].is_nan() && output[5].is_nan(), "{output:?}");
    assert_eq!([output[0], output[2], output[3]], [1.0, 2.0, 0.0]);
}

#[test]
fn buffers_of_another_length_are_refused() {
    let Some(client) = client() else { return };
    let window = Window { kernel: 3, stride: 1, padding: 1 };
    let geometry = ConvGeometry::new(1, [2, 3], [4, 4], window).unwrap();
    let [input, weight, bias] = [31, 54, 3].map(|len| write(&client, &numbers(len, 1)));
    let error = Convolution::new(geometry).forward(&client, [&input, &weight, &bias]).unwrap_err();
    assert_eq!(error, Error::Length { what: "the input", found: 31, expected: 32 });
}

/// A linear congruential generator.
struct Random(u64);

impl Random {
    /// Returns a number from 1 to `most`.
    fn upto(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most + 1
    }
}

#[test]
fn what_is_too_large_is_an_error_before_anything_is_launched() {
    let one = Window { kernel: 1, stride: 1, padding: 0 };
    let geometry = |batch, channels, size| ConvGeometry::new(batch, channels, size, one);
    // 2^32 values, whose indices would wrap around.
    let error = geometry(1 << 16, [1 << 8, 1], [16, 16]).unwrap_err();
    assert!(matches!(error, Error::TooLarge { what: "the padded input", .. }), "{error}");
    let Some(client) = client() else { return };
    // More columns than workgroups of 128 along an axis.
    let convolution = Convolution::new(geometry(1 << 13, [1, 1], [32, 64]).unwrap());
    let error = convolution.check(&client).unwrap_err();
    assert!(matches!(error, Error::TooLarge { what: "a dispatch", .. }), "{error}");
    Convolution::new(geometry(8, [4, 4], [32, 64]).unwrap()).check(&client).unwrap();
}
