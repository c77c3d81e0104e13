//! All blocks in one call, with packed weights that are kept, have the bits of the blocks one by one, by the same algorithm.

use nin_kernels::{
    Algorithm, Context, ConvGeometry, ConvInput, Error, Inference, Isa, MlpconvGeometry,
    MlpconvWeights, Precision,
};

use crate::support::{bits, error, from_a_worker, random};

/// A block, with the weight and the bias of each layer.
type Block = (MlpconvGeometry, [Vec<f32>; 3], [Vec<f32>; 3]);

/// A chain of blocks.
struct Chain {
    blocks: Vec<Block>,
    input: Vec<f32>,
}

/// The first layer of a block and the widths of the others: kernel, stride, padding, widths, whether it ends in a pooling.
type Sizes = (usize, usize, usize, [usize; 3], bool);

impl Chain {
    fn new(batch: usize, mut channels: usize, mut size: [usize; 2], sizes: &[Sizes]) -> Self {
        let mut blocks = Vec::new();
        let input = random(1, batch * channels * size[0] * size[1]);
        for (index, &(kernel, stride, padding, widths, pools)) in sizes.iter().enumerate() {
            let [first, second, third] = widths;
            let conv = ConvGeometry::new(
                batch,
                [channels, first],
                size,
                [kernel; 2],
                [stride; 2],
                [padding; 2],
            );
            let mut geometry = MlpconvGeometry::new(conv.unwrap(), [second, third]).unwrap();
            if pools {
                geometry = geometry.with_max_pool([3, 3], [2, 2], [0, 0], true).unwrap();
            }
            let values = |layer: usize, len| {
                // Small, so that no sum overflows after many layers.
                random(10 * index as u64 + layer as u64, len).into_iter().map(|value| value / 4.0)
            };
            let layers = geometry.layers();
            let weight =
                [0, 1, 2].map(|layer| values(layer + 2, layers[layer].weight_len()).collect());
            let bias =
                [0, 1, 2].map(|layer| values(layer + 5, layers[layer].channels()[1]).collect());
            (channels, size) = (third, geometry.output_size());
            blocks.push((geometry, weight, bias));
        }
        Self { blocks, input }
    }

    fn weights(&self, block: usize) -> MlpconvWeights<'_> {
        let (_, weight, bias) = &self.blocks[block];
        MlpconvWeights {
            weight: weight.each_ref().map(Vec::as_slice),
            bias: bias.each_ref().map(|bias| Some(bias.as_slice())),
        }
    }

    fn one_by_one(&self, context: &Context) -> Vec<u32> {
        let mut values = self.input.clone();
        for (index, (geometry, ..)) in self.blocks.iter().enumerate() {
            let input =
                if index == 0 { ConvInput::Planes(&values) } else { ConvInput::Panels(&values) };
            let mut output = vec![f32::NAN; geometry.output_len()];
            context
                .mlpconv_forward(geometry, input, &self.weights(index), &mut output, None)
                .unwrap();
            values = output;
        }
        bits(&values)
    }

    fn in_one_call(&self, inference: &Inference) -> Vec<u32> {
        let blocks: Vec<_> = self
            .blocks
            .iter()
            .enumerate()
            .map(|(index, (geometry, ..))| (*geometry, self.weights(index)))
            .collect();
        let mut output = vec![f32::NAN; self.blocks[self.blocks.len() - 1].0.output_len()];
        inference.run(&blocks, ConvInput::Planes(&self.input), &mut output).unwrap();
        bits(&output)
    }
}

/// The layers have different kernels, strides and paddings, widths that fill panels or do not, and maps down to one pixel.
const NETWORK: [Sizes; 4] = [
    (5, 1, 2, [20, 32, 17], true),
    (5, 1, 2, [33, 48, 40], true),
    (3, 1, 1, [64, 16, 33], true),
    (3, 1, 1, [18, 10, 5], false),
];

#[test]
fn one_call_has_the_bits_of_its_blocks() {
    from_a_worker(|| {
        let chains = [
            Chain::new(1, 3, [19, 23], &NETWORK),
            // Several images, larger than the first chain's, with weights that were packed for one.
            Chain::new(3, 3, [26, 21], &NETWORK),
            Chain::new(
                1,
                1,
                [40, 43],
                &[(11, 4, 0, [33, 17, 20], true), (3, 2, 1, [70; 3], false)],
            ),
        ];
        for isa in Isa::ALL {
            for (algorithm, precision) in [
                (Algorithm::Direct, Precision::Fp32),
                (Algorithm::Winograd, Precision::Fp32),
                (Algorithm::Direct, Precision::Bf16),
                (Algorithm::Winograd, Precision::Bf16),
            ] {
                for threads in [1, 3] {
                    let Ok(context) = Context::new(isa, threads) else { continue };
                    let context = context.with_algorithm(algorithm).with_precision(precision);
                    let kept = [4, 2].map(|blocks| Inference::new(&context, blocks));
                    for (chain, of) in chains.iter().zip([0, 0, 1]) {
                        let expected = chain.one_by_one(&context);
                        // Twice: the second call finds packed weights.
                        for _ in 0..2 {
                            let found = chain.in_one_call(&kept[of]);
                            assert!(found == expected, "{isa}, {algorithm:?}, {threads} threads");
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn threads_share_large_images() {
    from_a_worker(|| {
        // More multiply-accumulates than one thread is worth.
        let blocks = [(5, 1, 2, [48, 64, 64], true), (3, 1, 1, [96, 48, 10], false)];
        let chain = Chain::new(1, 3, [40, 40], &blocks);
        for isa in [Isa::detect(), Isa::PortableTiles] {
            for precision in [Precision::Fp32, Precision::Bf16] {
                for algorithm in [Algorithm::Direct, Algorithm::Winograd] {
                    let context = Context::new(isa, 3).unwrap().with_precision(precision);
                    let context = context.with_algorithm(algorithm);
                    let inference = Inference::new(&context, 2);
                    let expected = chain.one_by_one(&context);
                    for _ in 0..20 {
                        let found = chain.in_one_call(&inference);
                        assert!(found == expected, "{isa}, {precision:?}, {algorithm:?}");
                    }
                }
            }
        }
    });
}

#[test]
fn kept_weights_change_the_algorithm_and_little_else() {
    from_a_worker(|| {
        // The quick start's network: for one image, Winograd's algorithm pays in its second block if weights are kept.
        let blocks =
            [(5, 1, 2, [32; 3], true), (3, 1, 1, [64; 3], true), (3, 1, 1, [64, 64, 10], false)];
        let chain = Chain::new(1, 1, [28, 28], &blocks);
        let values =
            |bits: &[u32]| bits.iter().map(|&bits| f32::from_bits(bits)).collect::<Vec<_>>();
        for isa in Isa::ALL {
            let Ok(one) = Context::new(isa, 1) else { continue };
            let found = chain.in_one_call(&Inference::new(&one, 3));
            let direct = one.clone().with_algorithm(Algorithm::Direct);
            let expected = chain.one_by_one(&direct);
            assert!(found != expected, "{isa}");
            let expected = values(&expected).into_iter().map(f64::from).collect::<Vec<_>>();
            let error = error(&values(&found), &expected, &expected);
            assert!(error < 1e-5, "{isa}: {error:e}");
            let three = Context::new(isa, 3).unwrap();
            assert!(chain.in_one_call(&Inference::new(&three, 3)) == found, "{isa}");
        }
    });
}

#[test]
fn blocks_that_do_not_follow_one_another_are_an_error() {
    let context = Context::new(Isa::Portable, 1).unwrap();
    let [first, second] = [[20, 20, 20], [33, 20, 20]]
        .map(|widths| Chain::new(1, 3, [9, 9], &[(3, 1, 1, widths, false)]));
    let blocks = [&first, &second].map(|chain| (chain.blocks[0].0, chain.weights(0)));
    let mut output = vec![0.0; second.blocks[0].0.output_len()];
    let input = ConvInput::Planes(&first.input);
    let error = Inference::new(&context, 2).run(&blocks, input, &mut output).unwrap_err();
    assert!(matches!(error, Error::Length { name: "input", .. }), "{error}");
}
