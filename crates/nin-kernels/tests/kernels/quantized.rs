//! A network of int8 weights has the bits of plain loops, for every instruction set and any number of threads.

use nin_kernels::{
    Context, ConvGeometry, Error, Isa, MlpconvGeometry, PANEL, QuantizedInference, QuantizedLayer,
};
use proptest::prelude::*;

use crate::oracle;
use crate::support::{bits, contexts, from_a_worker, random};

/// The first layer of a block and the widths of its layers: kernel, stride, padding, widths, whether it ends in a pooling.
type Sizes = (usize, usize, usize, [usize; 3], bool);

/// A network. Values of the first layer have few bits, so that its sums are exact in any order.
struct Network {
    blocks: Vec<MlpconvGeometry>,
    input: Vec<f32>,
    first: [Vec<f32>; 2],
    layers: Vec<QuantizedLayer>,
}

/// Rounds values in -1..1 to multiples of an eighth.
fn coarse(values: Vec<f32>) -> Vec<f32> {
    values.into_iter().map(|value| (value * 8.0).round() / 8.0).collect()
}

impl Network {
    /// `None` where an image is too small.
    fn new(
        batch: usize,
        mut channels: usize,
        mut size: [usize; 2],
        sizes: &[Sizes],
    ) -> Option<Self> {
        let input = coarse(random(1, batch * channels * size[0] * size[1]));
        let mut blocks = Vec::new();
        for &(kernel, stride, padding, [first, second, third], pools) in sizes {
            let channels_of_first = [channels, first];
            let conv = ConvGeometry::new(
                batch,
                channels_of_first,
                size,
                [kernel; 2],
                [stride; 2],
                [padding; 2],
            );
            let mut block = MlpconvGeometry::new(conv.ok()?, [second, third]).ok()?;
            if pools {
                block = block.with_max_pool([3, 3], [2, 2], [0, 0], true).ok()?;
            }
            (channels, size) = (third, block.output_size());
            blocks.push(block);
        }
        let geometries: Vec<ConvGeometry> =
            blocks.iter().flat_map(|block| *block.layers()).collect();
        let first = [
            coarse(random(2, geometries[0].weight_len())),
            coarse(random(3, geometries[0].channels()[1])),
        ];
        let layers = geometries[1..].iter().enumerate().map(|(index, layer)| {
            let seed = 4 + 3 * index as u64;
            let ([inputs, outputs], [height, width]) = (layer.channels(), layer.kernel_size());
            let depth = (inputs * height * width) as f32;
            QuantizedLayer {
                shape: [outputs, inputs, height, width],
                weight: random(seed, layer.weight_len())
                    .iter()
                    .map(|value| (value * 127.0) as i8)
                    .collect(),
                weight_scale: random(seed + 1, outputs)
                    .iter()
                    .map(|value| (1.5 + value) * 0.03 / depth.sqrt())
                    .collect(),
                bias: random(seed + 2, outputs),
                input_scale: 0.01 + 0.002 * index as f32,
            }
        });
        Some(Self { layers: layers.collect(), blocks, input, first })
    }

    fn run(&self, context: &Context) -> Vec<u32> {
        let inference =
            QuantizedInference::new(context, self.first.clone(), self.layers.clone()).unwrap();
        let found = [(); 2].map(|()| {
            let mut output = vec![f32::NAN; self.blocks[self.blocks.len() - 1].output_len()];
            inference.run(&self.blocks, &self.input, &mut output).unwrap();
            bits(&output)
        });
        assert!(found[0] == found[1], "the second call finds prepared steps");
        let [found, _] = found;
        found
    }

    /// Computes the network by plain loops.
    fn expected(&self) -> Vec<u32> {
        let [weight, bias] = &self.first;
        let first = &self.blocks[0].layers()[0];
        let sums = oracle::conv_forward(first, &self.input, weight, Some(bias), true);
        let step = self.layers[0].input_scale;
        let mut values: Vec<f32> =
            sums.iter().map(|sum| byte(*sum as f32 * step.recip())).collect();
        let mut layers = self.layers.iter().enumerate();
        for (index, block) in self.blocks.iter().enumerate() {
            for geometry in block.layers().iter().skip(usize::from(index == 0)) {
                let (index, layer) = layers.next().unwrap();
                let weight: Vec<f32> = layer.weight.iter().map(|&value| value.into()).collect();
                // Exact: integers in `f64`.
                let sums = oracle::conv_forward(geometry, &values, &weight, None, false);
                let next = self.layers.get(index + 1).map(|next| next.input_scale);
                let pixels: usize = geometry.output_size().iter().product();
                let activation = |(at, sum): (usize, &f64)| {
                    let out = at / pixels % geometry.channels()[1];
                    let step = next.unwrap_or(1.0);
                    let scale = layer.input_scale * layer.weight_scale[out] / step;
                    let value = *sum as f32 * scale + layer.bias[out] / step;
                    if next.is_some() { byte(value) } else { value.max(0.0) }
                };
                values = sums.iter().enumerate().map(activation).collect();
            }
            if let Some(pool) = block.pool() {
                (values, _) = oracle::max_pool_forward(pool, &values);
            }
        }
        let last = self.blocks[self.blocks.len() - 1];
        bits(&panels(last.layers()[0].batch(), last.layers()[2].channels()[1], &values))
    }
}

fn byte(value: f32) -> f32 {
    value.round_ties_even().clamp(0.0, 255.0)
}

/// Returns `[batch, channels, pixels]` in panels.
fn panels(batch: usize, channels: usize, planes: &[f32]) -> Vec<f32> {
    let pixels = planes.len() / (batch * channels);
    let count = channels.div_ceil(PANEL);
    let mut panels = vec![0.0; batch * count * pixels * PANEL];
    for (at, value) in planes.iter().enumerate() {
        let (image, channel, pixel) =
            (at / (channels * pixels), at / pixels % channels, at % pixels);
        panels[((image * count + channel / PANEL) * pixels + pixel) * PANEL + channel % PANEL] =
            *value;
    }
    panels
}

#[test]
fn networks_have_the_bits_of_plain_loops() {
    from_a_worker(|| {
        let small = [
            (5, 1, 2, [20, 32, 17], true),
            (5, 1, 2, [33, 48, 40], true),
            (3, 1, 1, [64, 16, 33], true),
            (3, 2, 1, [18, 10, 5], false),
        ];
        let strided = [(11, 4, 0, [33, 17, 20], true), (3, 2, 1, [70, 70, 12], false)];
        for batch in [1, 3] {
            let networks = [
                Network::new(batch, 3, [19, 23], &small),
                Network::new(batch, 1, [40, 43], &strided),
                Network::new(batch, 20, [9, 9], &[(3, 1, 1, [16, 40, 31], true)]),
            ];
            for network in networks {
                let network = network.unwrap();
                let expected = network.expected();
                assert!(expected.iter().any(|value| *value != 0));
                for isa in Isa::ALL {
                    for threads in [1, 3] {
                        let Ok(context) = Context::new(isa, threads) else { continue };
                        assert!(network.run(&context) == expected, "{isa}, {threads} threads");
                    }
                }
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_shape_has_the_bits_of_plain_loops(
        batch in 1_usize..4,
        channels in 1_usize..20,
        size in [1_usize..24, 1_usize..24],
        kernels in [1_usize..6, 1_usize..6],
        strides in [1_usize..3, 1_usize..3],
        paddings in [0_usize..3, 0_usize..3],
        widths in [1_usize..50, 1_usize..50, 1_usize..50, 1_usize..50],
        pools in [any::<bool>(), any::<bool>()],
    ) {
        let [a, b, c, d] = widths;
        let sizes = [
            (kernels[0], strides[0], paddings[0], [a, b, c], pools[0]),
            (kernels[1], strides[1], paddings[1], [d, a, b], pools[1]),
        ];
        let Some(network) = Network::new(batch, channels, size, &sizes) else { return Ok(()) };
        let expected = network.expected();
        for context in contexts(2) {
            prop_assert!(network.run(&context) == expected, "{}", context.name());
        }
    }
}

#[test]
fn an_image_that_is_not_finite_is_answered_by_nan_and_no_other_is() {
    let sizes = [(5, 1, 2, [20, 32, 17], true), (3, 1, 1, [64, 16, 33], true)];
    for batch in [1, 3] {
        let network = Network::new(batch, 3, [19, 23], &sizes).unwrap();
        let len = network.blocks[1].output_len() / batch;
        for context in contexts(2) {
            let inference =
                QuantizedInference::new(&context, network.first.clone(), network.layers.clone())
                    .unwrap();
            let run = |input: &[f32]| {
                let mut output = vec![0.0; batch * len];
                inference.run(&network.blocks, input, &mut output).unwrap();
                output
            };
            let expected = run(&network.input);
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
                let mut input = network.input.clone();
                // A pixel of the first image, which only some pixels of the first layer see.
                input[19 * 23 - 1] = bad;
                let found = run(&input);
                let name = context.name();
                assert!(found[..len].iter().all(|value| value.is_nan()), "{bad}, {name}");
                assert_eq!(found[len..], expected[len..], "{bad}, {name}");
                assert_eq!(run(&network.input), expected, "after {bad}, {name}");
            }
            let large: Vec<f32> = network.input.iter().map(|value| value * 1e30).collect();
            assert!(run(&large).iter().all(|value| value.is_finite()));
            // Weights that are not finite answer nothing.
            for (at, bad) in [(0, f32::NAN), (0, f32::INFINITY), (1, f32::NAN), (1, f32::INFINITY)]
            {
                let mut first = network.first.clone();
                first[at][0] = bad;
                let inference =
                    QuantizedInference::new(&context, first, network.layers.clone()).unwrap();
                let (zeros, mut output) = (vec![0.0; network.input.len()], vec![0.0; batch * len]);
                inference.run(&network.blocks, &zeros, &mut output).unwrap();
                assert!(output.iter().all(|value| value.is_nan()), "{at}, {bad}");
            }
        }
    }
}

#[test]
fn other_sizes_than_the_weights_are_an_error() {
    let context = Context::new(Isa::Portable, 1).unwrap();
    let network = |widths| Network::new(1, 3, [9, 9], &[(3, 1, 1, widths, false)]).unwrap();
    let (one, other) = (network([20, 20, 20]), network([20, 33, 20]));
    let inference =
        QuantizedInference::new(&context, one.first.clone(), one.layers.clone()).unwrap();
    let mut output = vec![0.0; other.blocks[0].output_len()];
    let error = inference.run(&other.blocks, &other.input, &mut output).unwrap_err();
    assert!(matches!(error, Error::Length { name: "output channels", .. }), "{error}");
    for (input, len) in [(&one.input[1..], output.len()), (&one.input, output.len() - 1)] {
        inference.run(&one.blocks, input, &mut output[..len]).unwrap_err();
    }
    let error = QuantizedInference::new(&context, one.first.clone(), Vec::new()).unwrap_err();
    assert!(matches!(error, Error::Length { name: "layers", .. }), "{error}");
    let mut layers = one.layers;
    layers[1].weight.pop();
    let error = QuantizedInference::new(&context, one.first.clone(), layers.clone()).unwrap_err();
    assert!(matches!(error, Error::Length { name: "weight", .. }), "{error}");
    layers[1].shape = [1, 70_000, 1, 1];
    let error = QuantizedInference::new(&context, one.first, layers).unwrap_err();
    assert_eq!(error, Error::TooLarge);
}
