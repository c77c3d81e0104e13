//! The block in one call has the bits of its layers one by one, which the other files compare with the oracle.

use nin_kernels::{
    Algorithm, Context, ConvBackward, ConvGeometry, ConvInput, Isa, MlpconvBackward,
    MlpconvGeometry, MlpconvSaved, MlpconvWeights, Precision,
};

use crate::support::{bits, random};

/// All results of a block.
#[derive(Debug, PartialEq)]
struct Answers {
    hidden: [Vec<u32>; 2],
    positions: Vec<u8>,
    output: Vec<u32>,
    grad_input: Vec<u32>,
    grad_weight: [Vec<u32>; 3],
    grad_bias: [Vec<u32>; 3],
}

struct Case {
    geometry: MlpconvGeometry,
    planes: bool,
    input: Vec<f32>,
    weight: [Vec<f32>; 3],
    bias: [Vec<f32>; 3],
    grad_output: Vec<f32>,
}

/// Zeros the channels that pad the last panel.
fn zero_padding(channels: usize, pixels: usize, values: &mut [f32]) {
    let panels = channels.div_ceil(16);
    for (index, value) in values.iter_mut().enumerate() {
        if index / (16 * pixels) % panels * 16 + index % 16 >= channels {
            *value = 0.0;
        }
    }
}

impl Case {
    fn new(first: ConvGeometry, widths: [usize; 2], pool: bool, planes: bool) -> Self {
        let mut geometry = MlpconvGeometry::new(first, widths).unwrap();
        if pool {
            geometry = geometry.with_max_pool([3, 3], [2, 2], [0, 0], true).unwrap();
        }
        let layers = geometry.layers();
        let mut input =
            random(1, if planes { first.input_planes_len() } else { first.input_len() });
        if !planes {
            zero_padding(first.channels()[0], first.input_size().iter().product(), &mut input);
        }
        let mut grad_output = random(8, geometry.output_len());
        zero_padding(widths[1], geometry.output_size().iter().product(), &mut grad_output);
        Self {
            planes,
            input,
            weight: [0, 1, 2].map(|layer| random(2 + layer as u64, layers[layer].weight_len())),
            bias: [0, 1, 2].map(|layer| random(5 + layer as u64, layers[layer].channels()[1])),
            grad_output,
            geometry,
        }
    }

    fn input(&self) -> ConvInput<'_> {
        if self.planes { ConvInput::Planes(&self.input) } else { ConvInput::Panels(&self.input) }
    }

    fn weights(&self) -> MlpconvWeights<'_> {
        MlpconvWeights {
            weight: self.weight.each_ref().map(Vec::as_slice),
            bias: self.bias.each_ref().map(|bias| Some(&**bias)),
        }
    }

    fn whole(&self, context: &Context) -> Answers {
        let nan = |len: usize| vec![f32::NAN; len];
        let geometry = &self.geometry;
        let mut hidden = geometry.hidden_len(context).map(nan);
        let mut positions = vec![99; geometry.positions_len()];
        let mut output = nan(geometry.output_len());
        let [first, second] = &mut hidden;
        let saved = MlpconvSaved { hidden: [first, second], positions: &mut positions };
        context
            .mlpconv_forward(geometry, self.input(), &self.weights(), &mut output, Some(saved))
            .unwrap();
        let mut inferred = nan(geometry.output_len());
        context
            .mlpconv_forward(geometry, self.input(), &self.weights(), &mut inferred, None)
            .unwrap();
        assert_eq!(bits(&inferred), bits(&output), "inference differs");

        let mut grad_input = nan(self.input.len());
        let mut grad_weight = self.weight.each_ref().map(|weight| nan(weight.len()));
        let mut grad_bias = self.bias.each_ref().map(|bias| nan(bias.len()));
        let backward = MlpconvBackward {
            input: self.input(),
            weights: self.weights(),
            hidden: hidden.each_ref().map(Vec::as_slice),
            positions: &positions,
            output: &output,
            grad_output: &self.grad_output,
            grad_input: Some(&mut grad_input),
            grad_weight: grad_weight.each_mut().map(Vec::as_mut_slice),
            grad_bias: grad_bias.each_mut().map(|bias| Some(bias.as_mut_slice())),
        };
        context.mlpconv_backward(geometry, backward).unwrap();
        Answers {
            hidden: hidden.map(|values| bits(&values)),
            positions,
            output: bits(&output),
            grad_input: bits(&grad_input),
            grad_weight: grad_weight.map(|values| bits(&values)),
            grad_bias: grad_bias.map(|values| bits(&values)),
        }
    }

    fn layer_by_layer(&self, context: &Context) -> Answers {
        let geometry = &self.geometry;
        let mut values = vec![self.input.clone()];
        for (layer, conv) in geometry.layers().iter().enumerate() {
            let input = &values[layer];
            let input = if layer == 0 && self.planes {
                ConvInput::Planes(input)
            } else {
                ConvInput::Panels(input)
            };
            let mut output = vec![f32::NAN; conv.output_len()];
            let bias = Some(self.bias[layer].as_slice());
            context
                .conv_relu_forward(conv, input, &self.weight[layer], bias, true, &mut output)
                .unwrap();
            values.push(output);
        }
        let mut positions = vec![99; geometry.positions_len()];
        let mut output = values[3].clone();
        if let Some(pool) = geometry.pool() {
            output = vec![f32::NAN; pool.output_len()];
            context.max_pool_forward(pool, &values[3], &mut output, Some(&mut positions)).unwrap();
        }
        let through = |(&gradient, &output): (&f32, &f32)| {
            if output > 0.0 { gradient } else { 0.0 }
        };
        let mut gradient: Vec<_> = self.grad_output.iter().zip(&output).map(through).collect();
        if let Some(pool) = geometry.pool() {
            let mut full = vec![f32::NAN; pool.input_len()];
            context.max_pool_backward(pool, &positions, &gradient, None, &mut full).unwrap();
            gradient = full;
        }
        let mut grad_weight = self.weight.each_ref().map(|weight| vec![f32::NAN; weight.len()]);
        let mut grad_bias = self.bias.each_ref().map(|bias| vec![f32::NAN; bias.len()]);
        for (layer, conv) in geometry.layers().iter().enumerate().rev() {
            let input = &values[layer];
            let mut grad_input = vec![f32::NAN; input.len()];
            let backward = ConvBackward {
                input: if layer == 0 && self.planes {
                    ConvInput::Planes(input)
                } else {
                    ConvInput::Panels(input)
                },
                weight: &self.weight[layer],
                grad_output: &gradient,
                // The gradient of the last layer is already masked.
                output: (layer < 2).then_some(&values[layer + 1]),
                grad_input: Some(&mut grad_input),
                mask_grad_input: false,
                grad_weight: &mut grad_weight[layer],
                grad_bias: Some(&mut grad_bias[layer]),
            };
            context.conv_relu_backward(conv, backward).unwrap();
            gradient = grad_input;
        }
        let [_, first, second, _] = values.try_into().unwrap();
        Answers {
            hidden: if geometry.hidden_len(context)[0] < first.len() {
                [first, second].map(|values| rounded_pairs(&values))
            } else {
                [first, second].map(|values| bits(&values))
            },
            positions,
            output: bits(&output),
            grad_input: bits(&gradient),
            grad_weight: grad_weight.map(|values| bits(&values)),
            grad_bias: grad_bias.map(|values| bits(&values)),
        }
    }
}

/// Rounds values to bf16, to the nearest and even where two are, two in a word.
fn rounded_pairs(values: &[f32]) -> Vec<u32> {
    let rounded = |value: f32| {
        let bits = value.to_bits();
        (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    };
    values.as_chunks().0.iter().map(|[low, high]| rounded(*low) | rounded(*high) << 16).collect()
}

/// Makes all zeros positive: masking before or after a sum may change the sign of a zero, but nothing else.
fn normalised(mut answers: Answers) -> Answers {
    let positive = |values: &mut Vec<u32>| {
        for value in values {
            *value = if *value == 1 << 31 { 0 } else { *value };
        }
    };
    answers.grad_weight.iter_mut().chain(&mut answers.grad_bias).for_each(positive);
    positive(&mut answers.grad_input);
    answers
}

fn geometry(
    batch: usize,
    channels: [usize; 2],
    size: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> ConvGeometry {
    ConvGeometry::new(batch, channels, [size; 2], [kernel; 2], [stride; 2], [padding; 2]).unwrap()
}

/// Asserts that a block gives the bits of its layers.
fn check(context: &Context, case: &Case) {
    let (found, expected) =
        (normalised(case.whole(context)), normalised(case.layer_by_layer(context)));
    assert!(found == expected, "{context:?}, {:?}", case.geometry);
}

/// The gradients of the first layer are too large to be in memory for all images.
#[test]
fn a_large_block_is_its_layers() {
    let case = Case::new(geometry(18, [16, 32], 62, 3, 1, 1), [16, 10], true, false);
    for (threads, precision) in [(1, Precision::Fp32), (2, Precision::Bf16)] {
        let context = Context::new(Isa::detect(), threads).unwrap();
        let context = context.with_algorithm(Algorithm::Winograd).with_precision(precision);
        check(&context, &case);
    }
}

#[test]
fn the_block_is_its_layers() {
    let cases = [
        Case::new(geometry(3, [1, 33], 40, 11, 4, 0), [17, 20], true, true),
        Case::new(geometry(3, [3, 20], 12, 5, 1, 2), [16, 48], true, true),
        Case::new(geometry(19, [20, 33], 12, 5, 1, 2), [33, 31], true, false),
        Case::new(geometry(10, [33, 20], 9, 3, 1, 1), [20, 16], true, false),
        Case::new(geometry(10, [48, 17], 5, 3, 1, 1), [17, 10], false, false),
        Case::new(geometry(2, [16, 17], 9, 3, 2, 1), [17, 10], false, false),
        // More channels than a pass over the weights of the second layer takes, in bf16.
        Case::new(geometry(2, [16, 401], 3, 3, 1, 1), [33, 10], true, false),
    ];
    for isa in Isa::ALL {
        for (algorithm, threads, precision) in [
            (Algorithm::Direct, 1, Precision::Fp32),
            (Algorithm::Winograd, 3, Precision::Fp32),
            (Algorithm::Winograd, 2, Precision::Bf16),
            (Algorithm::Auto, 2, Precision::Bf16),
        ] {
            let Ok(context) = Context::new(isa, threads) else {
                continue;
            };
            let context = context.with_algorithm(algorithm).with_precision(precision);
            for case in &cases {
                check(&context, case);
            }
        }
    }
}
