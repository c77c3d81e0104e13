//! Convolutions against plain loops.

use nin_gpu::{
    Algorithm, ConvGeometry, Convolution, Element, Elements, Error, Pass, TILES, Window,
};

use crate::adapter::{Client, client, client_with_f16, read, read_as, rounded, write, write_as};
use crate::oracle::{self, assert_close, numbers};

/// Of the largest value: 32-bit sums of up to some thousand products in another order.
const TOLERANCE: f64 = 2e-5;

/// The same by Winograd's algorithm, whose transforms cancel a digit or two.
const WINOGRAD_TOLERANCE: f64 = 1e-4;

/// The rounding of a result that is stored in 16 bits: half a unit in the last of 11 digits.
const F16_ROUNDING: f64 = 1.0 / 2048.0;

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

    fn step(&self, client: &Client, convolution: &Convolution, elements: Elements) -> Step {
        let Elements { input: of_inputs, output: of_outputs, .. } = elements;
        let convolution = convolution.with_elements(elements);
        let input = write_as(client, of_inputs, &self.input);
        let gradient = write_as(client, of_outputs, &self.gradient);
        let [weight, bias] = [&self.weight, &self.bias].map(|values| write(client, values));
        let output = convolution.forward(client, [&input, &weight, &bias]).unwrap();
        let of_input = convolution.input_gradient(client, [&gradient, &weight], None).unwrap();
        let of_gated =
            convolution.input_gradient(client, [&gradient, &weight], Some(&input)).unwrap();
        let of_parameters = convolution.parameter_gradients(client, [&input, &gradient]).unwrap();
        Step {
            output: read_as(client, of_outputs, output, self.gradient.len()),
            of_input: read_as(client, of_inputs, of_input, self.input.len()),
            of_gated_input: read_as(client, of_inputs, of_gated, self.input.len()),
            of_weight: read(client, of_parameters.weight),
            of_bias: read(client, of_parameters.bias),
        }
    }
}

/// Compares a convolution in 32 bits with the oracle.
fn compare(client: &Client, sizes: &oracle::Convolution, convolution: &Convolution) {
    compare_in(client, sizes, convolution, Elements::default());
}

/// Compares a convolution with the oracle, which gets operands that are rounded to their types.
fn compare_in(
    client: &Client,
    sizes: &oracle::Convolution,
    convolution: &Convolution,
    elements: Elements,
) {
    let operands = Operands::of(convolution.geometry(), sizes.outputs);
    let found = operands.step(client, convolution, elements);

    let tolerance = |pass, result: Element| {
        let of_sums = match convolution.algorithm(pass) {
            Algorithm::Direct => TOLERANCE,
            Algorithm::Winograd => WINOGRAD_TOLERANCE,
        };
        of_sums + if result == Element::F16 { F16_ROUNDING } else { 0.0 }
    };
    let tolerances = [
        tolerance(Pass::Forward, elements.output),
        tolerance(Pass::InputGradient, elements.input),
        tolerance(Pass::WeightGradient, Element::F32),
    ];
    let name =
        format!("{sizes:?}, {elements:?}, {tolerances:?}, {:?}", convolution.tile(Pass::Forward));
    // What the direct algorithm multiplies is rounded in any case, what Winograd's does only if it is stored so.
    let of_factors = match convolution.algorithm(Pass::Forward) {
        Algorithm::Direct => elements.factors,
        Algorithm::Winograd => Element::F32,
    };
    let input = rounded(of_factors, &rounded(elements.input, &operands.input));
    let gradient = rounded(of_factors, &rounded(elements.output, &operands.gradient));
    let weight = rounded(of_factors, &operands.weight);
    let output = sizes.forward(&input, &weight, &operands.bias);
    let expected = sizes.backward(&input, &weight, &gradient);
    assert_close(&format!("{name}: output"), &found.output, &output, tolerances[0]);
    assert_close(&format!("{name}: input"), &found.of_input, &expected.input, tolerances[1]);
    assert_close(&format!("{name}: weight"), &found.of_weight, &expected.weight, tolerances[2]);
    assert_close(&format!("{name}: bias"), &found.of_bias, &expected.bias, tolerances[2]);
    for (at, (&gated, &plain)) in found.of_gated_input.iter().zip(&found.of_input).enumerate() {
        let expected = if input[at] > 0.0 { plain } else { 0.0 };
        assert_eq!(gated, expected, "{name}: gated input[{at}]");
    }
}

fn geometry(sizes: &oracle::Convolution) -> ConvGeometry {
    let oracle::Convolution { batch, inputs, outputs, size, window } = *sizes;
    ConvGeometry::new(batch, [inputs, outputs], size, window).unwrap()
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

/// Returns sizes at random, of which the oracle does not take long.
fn random_sizes(random: &mut Random, window: Window) -> oracle::Convolution {
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
    sizes
}

#[test]
fn a_hundred_convolutions_and_their_gradients_are_those_of_plain_loops() {
    let Some(client) = client() else { return };
    let mut random = Random(1);
    for at in 0..100 {
        let sizes = random_sizes(&mut random, WINDOWS[at % WINDOWS.len()]);
        compare(&client, &sizes, &Convolution::direct(geometry(&sizes)));
    }
}

#[test]
fn a_hundred_convolutions_by_winograds_algorithm_are_those_of_plain_loops() {
    let Some(client) = client() else { return };
    let mut random = Random(2);
    for at in 0..100 {
        let kernel = [3, 5][at % 2];
        let window = Window { kernel, stride: 1, padding: random.upto(kernel) - 1 };
        let sizes = random_sizes(&mut random, window);
        compare(&client, &sizes, &Convolution::winograd(geometry(&sizes)).unwrap());
    }
}

/// The types of the layers of a block in 16 bits: the first reads 32 bits, and so does what follows a block without a pool.
fn types_of_f16() -> [Elements; 3] {
    use Element::{F16, F32};

    let types = |input, output| Elements { factors: F16, input, output };
    [types(F32, F16), types(F16, F16), types(F16, F32)]
}

#[test]
fn in_f16_only_operands_and_what_is_stored_are_rounded() {
    let Some(client) = client_with_f16() else { return };
    let [first, inner, last] = types_of_f16();
    let window = |kernel, stride, padding| Window { kernel, stride, padding };
    let mut random = Random(3);
    // The layers of networks: kernels are compiled for each window, type and tile, which takes most of the time.
    for (window, elements) in [
        (window(11, 4, 0), first),
        (window(5, 1, 2), first),
        (window(3, 2, 1), inner),
        (window(1, 1, 0), inner),
        (window(1, 1, 0), last),
    ] {
        let sizes = random_sizes(&mut random, window);
        compare_in(&client, &sizes, &Convolution::direct(geometry(&sizes)), elements);
    }
    for (kernel, elements) in [(5, first), (3, inner)] {
        let sizes = random_sizes(&mut random, window(kernel, 1, kernel / 2));
        let convolution = Convolution::winograd(geometry(&sizes)).unwrap();
        compare_in(&client, &sizes, &convolution, elements);
    }
    // The tile with the most workgroup memory, and the one with the most sums of a thread.
    for tile in [TILES[8], TILES[6]] {
        let sizes = oracle::Convolution {
            batch: 2,
            inputs: 3,
            outputs: 133,
            size: [9, 11],
            window: window(1, 1, 0),
        };
        let convolution = Convolution::direct(geometry(&sizes)).with_tile(tile).unwrap();
        compare_in(&client, &sizes, &convolution, inner);
    }
}

#[test]
fn what_exceeds_f16_is_infinite_and_nan_stays_nan() {
    let Some(client) = client_with_f16() else { return };
    // The largest finite number is 65,504.
    let values = [70_000.0, f32::NAN, 65_504.0, 1e30];
    let one = Window { kernel: 1, stride: 1, padding: 0 };
    let geometry = ConvGeometry::new(1, [1, 1], [2, 2], one).unwrap();
    let [input, weight, bias] = [&values[..], &[1.0], &[0.0]].map(|values| write(&client, values));
    for elements in types_of_f16() {
        let input = if elements.input == Element::F16 {
            write_as(&client, Element::F16, &values)
        } else {
            input.clone()
        };
        let convolution = Convolution::direct(geometry).with_elements(elements);
        let output = convolution.forward(&client, [&input, &weight, &bias]).unwrap();
        let output = read_as(&client, elements.output, output, 4);
        assert!(output[1].is_nan(), "{output:?}");
        assert_eq!([output[0], output[2], output[3]], [f32::INFINITY, 65_504.0, f32::INFINITY]);

        let gradient = write_as(&client, elements.output, &[1e6, 1.0, 1.0, 1.0]);
        let of_input = convolution.input_gradient(&client, [&gradient, &weight], None).unwrap();
        let of_input = read_as(&client, elements.input, of_input, 4);
        assert_eq!(of_input, [f32::INFINITY, 1.0, 1.0, 1.0], "{elements:?}");
        let ones = write_as(&client, elements.input, &[1.0; 4]);
        let of_parameters = convolution.parameter_gradients(&client, [&ones, &gradient]).unwrap();
        for sums in [of_parameters.weight, of_parameters.bias] {
            assert_eq!(read(&client, sums), [f32::INFINITY], "{elements:?}");
        }
    }
}

#[test]
fn images_in_several_chunks_are_those_of_plain_loops() {
    let Some(client) = client() else { return };
    for (kernel, outputs, batch) in [(3, 1024, 461), (5, 512, 521)] {
        let window = Window { kernel, stride: 1, padding: kernel / 2 };
        let sizes = oracle::Convolution { batch, inputs: 1, outputs, size: [1, 2], window };
        let convolution = Convolution::winograd(geometry(&sizes)).unwrap();
        // Two chunks of three dispatches each, and the transform of the weights.
        assert_eq!(convolution.cost(Pass::Forward).dispatches, 7);
        compare(&client, &sizes, &convolution);
    }
}

#[test]
fn the_algorithm_follows_from_the_sizes() {
    use Algorithm::{Direct, Winograd};

    let algorithms = |batch, channels, side, [kernel, stride, padding]: [usize; 3]| {
        let window = Window { kernel, stride, padding };
        let geometry = ConvGeometry::new(batch, channels, [side; 2], window).unwrap();
        let convolution = Convolution::new(geometry);
        Pass::ALL.map(|pass| convolution.algorithm(pass))
    };
    // The layers of the book's network at 224 and at 96.
    assert_eq!(algorithms(128, [96, 256], 26, [5, 1, 2]), [Winograd; 3]);
    assert_eq!(algorithms(128, [256, 384], 12, [3, 1, 1]), [Winograd; 3]);
    assert_eq!(algorithms(128, [96, 256], 10, [5, 1, 2]), [Winograd; 3]);
    assert_eq!(algorithms(128, [256, 384], 4, [3, 1, 1]), [Winograd; 3]);
    // Kernels and strides that it has no scheme for.
    assert_eq!(algorithms(128, [1, 96], 224, [11, 4, 0]), [Direct; 3]);
    assert_eq!(algorithms(128, [256, 256], 26, [1, 1, 0]), [Direct; 3]);
    assert_eq!(algorithms(128, [256, 384], 26, [3, 2, 1]), [Direct; 3]);
    // Ten classes do not pay for the transforms of 384 channels, nor a single small image for those of the weights.
    assert_eq!(algorithms(128, [384, 10], 5, [3, 1, 1]), [Direct; 3]);
    assert_eq!(algorithms(1, [256, 384], 4, [3, 1, 1]), [Direct; 3]);
}

#[test]
fn every_tile_computes_the_same() {
    let Some(client) = client() else { return };
    let window = Window { kernel: 3, stride: 1, padding: 1 };
    for tile in TILES {
        // More than a tile along both axes, and no multiple of one.
        let sizes =
            oracle::Convolution { batch: 2, inputs: 3, outputs: 133, size: [9, 11], window };
        let convolution = Convolution::direct(geometry(&sizes)).with_tile(tile).unwrap();
        compare(&client, &sizes, &convolution);
        let convolution = Convolution::winograd(geometry(&sizes)).unwrap().with_tile(tile).unwrap();
        compare(&client, &sizes, &convolution);
    }
}

#[test]
fn an_adapter_gives_the_same_bits_twice() {
    let Some(client) = client() else { return };
    let window = Window { kernel: 5, stride: 1, padding: 2 };
    let geometry = ConvGeometry::new(4, [20, 40], [30, 31], window).unwrap();
    let operands = Operands::of(&geometry, 40);
    let winograd = Convolution::winograd(geometry).unwrap();
    for convolution in [Convolution::direct(geometry), winograd] {
        // The weight gradient is the sum of several parts.
        assert!(convolution.cost(Pass::WeightGradient).workgroups > 8);
        let first = operands.step(&client, &convolution, Elements::default());
        assert_eq!(operands.step(&client, &convolution, Elements::default()), first);
    }
}

#[test]
fn nan_stays_nan() {
    let Some(client) = client() else { return };
    let window = Window { kernel: 3, stride: 1, padding: 1 };
    let geometry = ConvGeometry::new(1, [1, 1], [1, 1], window).unwrap();
    let [input, weight, bias] =
        [vec![f32::NAN], vec![1.0; 9], vec![0.0]].map(|values| write(&client, &values));
    let convolution = Convolution::winograd(geometry).unwrap();
    let output = convolution.forward(&client, [&input, &weight, &bias]).unwrap();
    assert!(read(&client, output)[0].is_nan());

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
