//! Convolutions and their gradients.

use nin_kernels::{
    Algorithm, Context, ConvBackward, ConvGeometry, ConvInput, Error, Isa, nchw_from_panels,
    panels_from_nchw, panels_len,
};
use proptest::prelude::*;

use crate::oracle;
use crate::support::{absolute, contexts, error, random};

/// The error of direct sums in fp32, relative to the sums of absolute values: roundings of 6e-8 grow with the square root
/// of the number of products in a sum, at most some hundreds here, and the products have mixed signs.
pub(crate) const DIRECT_ERROR: f64 = 1e-6;

/// The error of F(4x4, 3x3) in the forward pass and in the weight gradient: constants of up to 5 amplify the roundings.
const F43_ERROR: f64 = 2e-6;

/// The error of F(4x4, 5x5), whose constants are larger.
const F45_ERROR: f64 = 4e-6;

/// The factor for input gradients: the adjoint applies the larger constants last, so that roundings do not average out.
const ADJOINT: f64 = 4.0;

/// A convolution and its operands as planes.
pub(crate) struct Case {
    pub(crate) geometry: ConvGeometry,
    pub(crate) input: Vec<f32>,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    pub(crate) grad_output: Vec<f32>,
}

/// The results of a case, as planes.
pub(crate) struct Answers {
    pub(crate) output: Vec<f32>,
    pub(crate) grad_input: Vec<f32>,
    pub(crate) grad_weight: Vec<f32>,
    pub(crate) grad_bias: Vec<f32>,
}

impl Case {
    pub(crate) fn new(geometry: ConvGeometry) -> Self {
        let [inputs, outputs] = geometry.channels();
        let [height, width] = geometry.output_size();
        // Inputs like the output of a ReLU: a third of them zero.
        let mut input = random(1, geometry.input_planes_len());
        for value in &mut input {
            *value = if *value < -0.33 { 0.0 } else { value.abs() };
        }
        assert_eq!(geometry.weight_len() % (inputs * outputs), 0);
        Self {
            input,
            weight: random(2, geometry.weight_len()),
            bias: random(3, outputs),
            grad_output: random(4, geometry.batch() * outputs * height * width),
            geometry,
        }
    }

    /// Runs both passes. `planes` leaves the input in planes, `masked` masks the input gradient by the previous ReLU.
    pub(crate) fn run(&self, context: &Context, planes: bool, relu: bool, masked: bool) -> Answers {
        let geometry = &self.geometry;
        let (batch, [inputs, outputs]) = (geometry.batch(), geometry.channels());
        let (in_pixels, out_pixels) = (
            geometry.input_size().iter().product::<usize>(),
            geometry.output_size().iter().product::<usize>(),
        );
        let input_panels = self.in_panels(context, inputs, in_pixels, &self.input);
        let grad_output = self.in_panels(context, outputs, out_pixels, &self.grad_output);
        let input =
            if planes { ConvInput::Planes(&self.input) } else { ConvInput::Panels(&input_panels) };

        // NaN, to detect results that depend on previous contents.
        let mut output = vec![f32::NAN; geometry.output_len()];
        context
            .conv_relu_forward(geometry, input, &self.weight, Some(&self.bias), relu, &mut output)
            .unwrap();
        let mut grad_input =
            vec![f32::NAN; if planes { self.input.len() } else { geometry.input_len() }];
        let mut grad_weight = vec![f32::NAN; geometry.weight_len()];
        let mut grad_bias = vec![f32::NAN; outputs];
        let backward = ConvBackward {
            input,
            weight: &self.weight,
            grad_output: &grad_output,
            output: relu.then_some(&output),
            grad_input: Some(&mut grad_input),
            mask_grad_input: masked,
            grad_weight: &mut grad_weight,
            grad_bias: Some(&mut grad_bias),
        };
        context.conv_relu_backward(geometry, backward).unwrap();
        assert_padding_is_zero(outputs, out_pixels, &output);
        if !planes {
            assert_padding_is_zero(inputs, in_pixels, &grad_input);
            grad_input = Self::in_planes(context, [batch, inputs, in_pixels], &grad_input);
        }
        Answers {
            output: Self::in_planes(context, [batch, outputs, out_pixels], &output),
            grad_input,
            grad_weight,
            grad_bias,
        }
    }

    fn in_panels(
        &self,
        context: &Context,
        channels: usize,
        pixels: usize,
        planes: &[f32],
    ) -> Vec<f32> {
        let mut panels = vec![f32::NAN; panels_len(self.geometry.batch(), channels, pixels)];
        panels_from_nchw(context, [self.geometry.batch(), channels, pixels], planes, &mut panels)
            .unwrap();
        panels
    }

    fn in_planes(context: &Context, sizes: [usize; 3], panels: &[f32]) -> Vec<f32> {
        let mut planes = vec![f32::NAN; sizes.iter().product()];
        nchw_from_panels(context, sizes, panels, &mut planes).unwrap();
        planes
    }

    /// Compares all results with the oracle. Takes the ReLU's mask from `found`: a sum of zero may round to either sign.
    pub(crate) fn compare(
        &self,
        found: &Answers,
        relu: bool,
        masked: bool,
        bounds: [f64; 3],
    ) -> Result<(), TestCaseError> {
        let output =
            oracle::conv_forward(&self.geometry, &self.input, &self.weight, Some(&self.bias), relu);
        let mut grad_output = self.grad_output.clone();
        if relu {
            grad_output
                .iter_mut()
                .zip(&found.output)
                .for_each(|(gradient, &out)| *gradient *= f32::from(out > 0.0));
        }
        let mut gradients =
            oracle::conv_backward(&self.geometry, &self.input, &self.weight, &grad_output);
        if masked {
            gradients.input.iter_mut().zip(&self.input).for_each(|(gradient, &value)| {
                *gradient *= f64::from(value > 0.0);
            });
        }
        let [input, weight, bias, grad_output] =
            [&self.input, &self.weight, &self.bias, &grad_output].map(|values| absolute(values));
        let output_size = oracle::conv_forward(&self.geometry, &input, &weight, Some(&bias), relu);
        let sizes = oracle::conv_backward(&self.geometry, &input, &weight, &grad_output);
        let errors = [
            ("output", error(&found.output, &output, &output_size), bounds[0]),
            ("grad_input", error(&found.grad_input, &gradients.input, &sizes.input), bounds[1]),
            ("grad_weight", error(&found.grad_weight, &gradients.weight, &sizes.weight), bounds[2]),
            ("grad_bias", error(&found.grad_bias, &gradients.bias, &sizes.bias), bounds[2]),
        ];
        for (name, error, bound) in errors {
            prop_assert!(
                error <= bound,
                "{name}: {error:e} above {bound:e} for {:?}",
                self.geometry
            );
        }
        Ok(())
    }
}

/// Asserts that the channels that pad the last panel are zero.
fn assert_padding_is_zero(channels: usize, pixels: usize, panels: &[f32]) {
    for (index, &value) in panels.iter().enumerate() {
        let panel = index / (16 * pixels) % channels.div_ceil(16);
        if panel * 16 + index % 16 >= channels {
            assert!(
                value.to_bits() == 0,
                "channel {} of {channels} is {value}",
                panel * 16 + index % 16
            );
        }
    }
}

fn channels() -> impl Strategy<Value = usize> {
    prop_oneof![3 => proptest::sample::select(vec![1, 15, 16, 17, 31, 32, 33, 48, 64]), 1 => 1_usize..40]
}

fn geometries() -> impl Strategy<Value = ConvGeometry> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    let sizes =
        (1_usize..4, [channels(), channels()], pair(1..16), pair(1..8), pair(1..4), pair(0..4));
    sizes.prop_filter_map("the kernel fits", |(batch, channels, input, kernel, stride, padding)| {
        ConvGeometry::new(batch, channels, input, kernel, stride, padding).ok()
    })
}

/// Returns shapes that each test a special case.
fn named() -> Vec<ConvGeometry> {
    let geometry = |batch, channels, input, kernel: usize, stride: usize, padding: usize| {
        ConvGeometry::new(batch, channels, input, [kernel; 2], [stride; 2], [padding; 2]).unwrap()
    };
    vec![
        // One of everything.
        geometry(1, [1, 1], [1, 1], 1, 1, 0),
        // The book's first layer, smaller.
        geometry(2, [1, 96], [67, 67], 11, 4, 0),
        // A pointwise layer of several depth blocks and pixel blocks.
        geometry(1, [384, 32], [9, 41], 1, 1, 0),
        geometry(1, [33, 96], [40, 60], 1, 1, 0),
        // Odd architectures.
        geometry(3, [17, 33], [23, 20], 7, 3, 3),
        geometry(2, [33, 17], [9, 8], 1, 2, 0),
        geometry(9, [3, 20], [12, 12], 5, 1, 2),
        // Padding wider than the kernel less one: pixels of the output that see nothing but zeros.
        geometry(1, [5, 7], [4, 3], 2, 1, 3),
        // Rows of the input that no window reaches.
        geometry(1, [5, 7], [11, 10], 3, 4, 0),
        // More images than groups.
        geometry(19, [16, 16], [3, 3], 3, 1, 1),
    ]
}

#[test]
fn named_shapes_match_the_oracle() {
    for context in contexts(2) {
        let context = context.with_algorithm(Algorithm::Direct);
        for geometry in named() {
            let case = Case::new(geometry);
            for planes in [false, true] {
                let found = case.run(&context, planes, true, true);
                case.compare(&found, true, true, [DIRECT_ERROR; 3]).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_shape_matches_the_oracle(
        geometry in geometries(),
        planes in any::<bool>(),
        relu in any::<bool>(),
        masked in any::<bool>(),
    ) {
        let case = Case::new(geometry);
        for context in contexts(1) {
            let found = case.run(&context.with_algorithm(Algorithm::Direct), planes, relu, masked);
            case.compare(&found, relu, masked, [DIRECT_ERROR; 3])?;
        }
    }
}

fn winograd_bounds(kernel: usize) -> [f64; 3] {
    let bound = if kernel == 3 { F43_ERROR } else { F45_ERROR };
    [bound, bound * ADJOINT, bound]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn winograd_matches_the_oracle(
        batch in 1_usize..12,
        channels in [channels(), channels()],
        size in [1_usize..14, 1_usize..14],
        kernel in proptest::sample::select(vec![3_usize, 5]),
        padding in [0_usize..4, 0_usize..4],
        relu in any::<bool>(),
        masked in any::<bool>(),
    ) {
        let Ok(geometry) = ConvGeometry::new(batch, channels, size, [kernel; 2], [1, 1], padding) else { return Ok(()) };
        let case = Case::new(geometry);
        for context in contexts(2) {
            let found = case.run(&context.with_algorithm(Algorithm::Winograd), false, relu, masked);
            case.compare(&found, relu, masked, winograd_bounds(kernel))?;
        }
    }
}

#[test]
fn winograd_matches_the_oracle_over_several_chunks() {
    for (batch, channels, size, kernel) in
        [(9, [16, 33], 26, 5), (50, [48, 16], 12, 3), (3, [17, 16], 14, 3)]
    {
        let padding = [kernel / 2; 2];
        let geometry =
            ConvGeometry::new(batch, channels, [size; 2], [kernel; 2], [1, 1], padding).unwrap();
        let case = Case::new(geometry);
        for context in contexts(2) {
            let found = case.run(&context.with_algorithm(Algorithm::Winograd), false, true, true);
            case.compare(&found, true, true, winograd_bounds(kernel)).unwrap();
        }
    }
}

#[test]
fn no_bias_and_no_input_gradient() {
    let geometry = ConvGeometry::new(1, [4, 5], [3, 3], [3, 3], [1, 1], [1, 1]).unwrap();
    let mut case = Case::new(geometry);
    let context = Context::new(Isa::Portable, 1).unwrap();
    let mut output = vec![f32::NAN; geometry.output_len()];
    context
        .conv_relu_forward(
            &geometry,
            ConvInput::Planes(&case.input),
            &case.weight,
            None,
            false,
            &mut output,
        )
        .unwrap();
    case.bias.fill(0.0);
    let expected = oracle::conv_forward(&geometry, &case.input, &case.weight, None, false);
    assert!(
        error(&Case::in_planes(&context, [1, 5, 9], &output), &expected, &expected) < DIRECT_ERROR
    );

    let with = case.run(&context, true, false, false);
    let grad_output = case.in_panels(&context, 5, 9, &case.grad_output);
    let mut grad_weight = vec![f32::NAN; geometry.weight_len()];
    let backward = ConvBackward {
        input: ConvInput::Planes(&case.input),
        weight: &case.weight,
        grad_output: &grad_output,
        output: None,
        grad_input: None,
        mask_grad_input: false,
        grad_weight: &mut grad_weight,
        grad_bias: None,
    };
    context.conv_relu_backward(&geometry, backward).unwrap();
    assert_eq!(grad_weight, with.grad_weight);
}

#[test]
fn wrong_lengths_are_errors() {
    let geometry = ConvGeometry::new(1, [4, 5], [3, 3], [3, 3], [1, 1], [1, 1]).unwrap();
    let context = Context::new(Isa::Portable, 1).unwrap();
    let (weight, mut output) = (vec![0.0; geometry.weight_len()], vec![0.0; geometry.output_len()]);
    let input = vec![0.0; geometry.input_planes_len()];
    let found = context.conv_relu_forward(
        &geometry,
        ConvInput::Panels(&input),
        &weight,
        None,
        true,
        &mut output,
    );
    assert_eq!(found, Err(Error::Length { name: "input", expected: 144, found: 36 }));
    let found = context.conv_relu_forward(
        &geometry,
        ConvInput::Planes(&input),
        &weight[1..],
        None,
        true,
        &mut output,
    );
    assert_eq!(found, Err(Error::Length { name: "weight", expected: 180, found: 179 }));
}

#[test]
fn nan_is_not_hidden_by_the_relu() {
    for context in contexts(1) {
        let geometry = ConvGeometry::new(1, [1, 16], [1, 1], [1, 1], [1, 1], [0, 0]).unwrap();
        let mut output = vec![0.0; 16];
        let input = [f32::NAN];
        context
            .conv_relu_forward(
                &geometry,
                ConvInput::Planes(&input),
                &[1.0; 16],
                None,
                true,
                &mut output,
            )
            .unwrap();
        assert!(output.iter().all(|value| value.is_nan()));
    }
}
