//! Whole networks in inference, images per second: fp32, bf16 and int8 in turn, with prepared weights.
//!
//! `cargo bench -p nin-kernels --bench precisions -- [--batch N] [--threads N] [--seconds N] [--filter TEXT]`

mod networks;
mod values;

use std::time::Instant;

use networks::NETWORKS;
use nin_kernels::{
    Context, ConvGeometry, ConvInput, Inference, Isa, MlpconvWeights, Precision,
    QuantizedInference, QuantizedLayer,
};
use values::random;

fn quantized_layer(layer: &ConvGeometry, weight: &[f32], bias: Vec<f32>) -> QuantizedLayer {
    let per_output = weight.len() / bias.len();
    let largest =
        |weights: &[f32]| weights.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let scales: Vec<f32> =
        weight.chunks(per_output).map(|weights| largest(weights) / 127.0).collect();
    let integers = weight
        .iter()
        .enumerate()
        .map(|(index, value)| (value / scales[index / per_output]).round() as i8);
    let ([inputs, outputs], [height, width]) = (layer.channels(), layer.kernel_size());
    QuantizedLayer {
        shape: [outputs, inputs, height, width],
        weight: integers.collect(),
        weight_scale: scales,
        bias,
        input_scale: 0.02,
    }
}

fn main() {
    let (mut batch, mut threads, mut seconds, mut filter) = (32, 2, 1.0, String::new());
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        match argument.as_str() {
            "--batch" => batch = value.parse().expect("a number"),
            "--threads" => threads = value.parse().expect("a number"),
            "--seconds" => seconds = value.parse().expect("a number"),
            "--filter" => filter = value,
            _ => panic!("unknown argument `{argument}`"),
        }
    }
    let context = Context::new(Isa::detect(), threads).expect("threads");
    println!("{}, {threads} threads, batch {batch}: images/s", context.name());
    for network in NETWORKS.iter().filter(|network| network.name.contains(&filter)) {
        let (name, blocks) = (network.name, network.geometries(batch));
        let layers: Vec<_> = blocks.iter().flat_map(|block| *block.layers()).collect();
        let weights: Vec<Vec<f32>> = layers
            .iter()
            .enumerate()
            .map(|(index, layer)| {
                let [_, outputs] = layer.channels();
                let scale = (6.0 * outputs as f32 / layer.weight_len() as f32).sqrt();
                random(index as u64, layer.weight_len()).iter().map(|value| value * scale).collect()
            })
            .collect();
        let biases: Vec<Vec<f32>> =
            layers.iter().map(|layer| vec![0.01; layer.channels()[1]]).collect();
        let input = random(7, layers[0].input_planes_len());
        let mut output = vec![0.0; blocks[blocks.len() - 1].output_len()];
        let run: Vec<_> = blocks
            .iter()
            .enumerate()
            .map(|(index, block)| {
                let weight = [0, 1, 2].map(|layer| &weights[3 * index + layer][..]);
                let bias = [0, 1, 2].map(|layer| Some(&biases[3 * index + layer][..]));
                (*block, MlpconvWeights { weight, bias })
            })
            .collect();
        let [fp32, bf16] = [Precision::Fp32, Precision::Bf16].map(|precision| {
            Inference::new(&context.clone().with_precision(precision), blocks.len())
        });
        let operands = weights[1..].iter().zip(&biases[1..]).zip(&layers[1..]);
        let quantized =
            operands.map(|((weight, bias), layer)| quantized_layer(layer, weight, bias.clone()));
        let first = [weights[0].clone(), biases[0].clone()];
        let int8 = QuantizedInference::new(&context, first, quantized.collect()).expect("sizes");
        let mut rates = [const { Vec::new() }; 3];
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < 3.0 * seconds || rates[0].len() < 7 {
            for (which, rates) in rates.iter_mut().enumerate() {
                // Each for a while, so that a clock that adapts does so for it.
                let mut calls = 0;
                let begin = Instant::now();
                let mut since = begin;
                while begin.elapsed().as_secs_f64() < 0.06 {
                    if begin.elapsed().as_secs_f64() < 0.01 {
                        (calls, since) = (0, Instant::now());
                    }
                    match which {
                        0 => fp32.run(&run, ConvInput::Planes(&input), &mut output),
                        1 => bf16.run(&run, ConvInput::Planes(&input), &mut output),
                        _ => int8.run(&blocks, &input, &mut output),
                    }
                    .expect("sizes");
                    calls += 1;
                }
                rates.push((calls * batch) as f64 / since.elapsed().as_secs_f64());
            }
        }
        let [fp32, bf16, int8] = rates.map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[rates.len() / 2]
        });
        println!(
            "{name:<18} fp32 {fp32:8.0}  bf16 {bf16:8.0}  int8 {int8:8.0}  int8/bf16 {:.2}",
            int8 / bf16.max(fp32)
        );
    }
}
