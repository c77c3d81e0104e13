//! Whole networks with packed weights: microseconds per batch and images per second, by each algorithm in turn.
//!
//! `cargo bench -p nin-kernels --bench inference -- [--batch N] [--threads N] [--secs S] [--filter TEXT] [--precision fp32|bf16]`
//!
//! `NIN_CPU` overrides the instruction set.

mod networks;
mod values;

use std::time::Instant;

use networks::{NETWORKS, Network};
use nin_kernels::{
    Algorithm, Context, ConvInput, Inference, Isa, MlpconvGeometry, MlpconvWeights, Precision,
};

/// Returns values in 0..1.
fn random(seed: u64, len: usize) -> Vec<f32> {
    values::random(seed, len).into_iter().map(|value| 0.5 * value + 0.5).collect()
}

struct Block {
    geometry: MlpconvGeometry,
    weight: [Vec<f32>; 3],
    bias: [Vec<f32>; 3],
}

fn blocks(network: &Network, batch: usize) -> Vec<Block> {
    let block = |geometry: MlpconvGeometry| {
        let weight = geometry.layers().map(|layer| {
            // Weights of both signs that keep values in range.
            let scale = 4.0 * layer.channels()[1] as f32 / layer.weight_len() as f32;
            let values = random(layer.weight_len() as u64, layer.weight_len());
            values.into_iter().map(|value| (value - 0.4) * scale).collect()
        });
        let bias = geometry.layers().map(|layer| vec![0.01; layer.channels()[1]]);
        Block { geometry, weight, bias }
    };
    network.geometries(batch).into_iter().map(block).collect()
}

fn main() {
    let (mut batch, mut threads, mut secs) = (1, 2, 1.0);
    let (mut filter, mut precision) = (String::new(), Precision::Fp32);
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        match argument.as_str() {
            "--batch" => batch = value.parse().expect("a number"),
            "--threads" => threads = value.parse().expect("a number"),
            "--secs" => secs = value.parse().expect("a number"),
            "--filter" => filter = value,
            "--precision" if value == "bf16" => precision = Precision::Bf16,
            "--precision" if value == "fp32" => {}
            _ => panic!("`{argument} {value}`: unknown argument, or a value that it does not take"),
        }
    }
    let isa = std::env::var("NIN_CPU").map_or_else(
        |_| Isa::detect(),
        |name| name.parse().expect("`NIN_CPU` is the name of an instruction set"),
    );
    let context = Context::new(isa, threads).expect("threads").with_precision(precision);
    println!("{isa}, {precision:?}, {threads} threads, batch {batch}; microseconds (images/s)");
    let algorithms = [Algorithm::Auto, Algorithm::Direct, Algorithm::Winograd];
    for network in NETWORKS.iter().filter(|network| network.name.contains(&filter)) {
        let blocks = blocks(network, batch);
        let operands: Vec<_> = blocks
            .iter()
            .map(|Block { geometry, weight, bias }| {
                let weight = weight.each_ref().map(Vec::as_slice);
                let bias = bias.each_ref().map(|bias| Some(bias.as_slice()));
                (*geometry, MlpconvWeights { weight, bias })
            })
            .collect();
        let input = random(1, blocks[0].geometry.layers()[0].input_planes_len());
        let mut output = vec![0.0; blocks[blocks.len() - 1].geometry.output_len()];
        let plans = algorithms.map(|algorithm| {
            Inference::new(&context.clone().with_algorithm(algorithm), blocks.len())
        });
        let mut times = algorithms.map(|_| Vec::new());
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < secs || times[0].len() < 3 {
            for (plan, times) in plans.iter().zip(&mut times) {
                // The first calls of a turn find the cache filled by the other plans.
                for repeat in 0..12 {
                    let begun = Instant::now();
                    plan.run(&operands, ConvInput::Planes(&input), &mut output)
                        .expect("checked sizes");
                    if repeat >= 4 {
                        times.push(begun.elapsed().as_secs_f64() * 1e6);
                    }
                }
            }
        }
        print!("{:<14}", network.name);
        for (algorithm, times) in algorithms.iter().zip(&mut times) {
            times.sort_by(f64::total_cmp);
            let median = times[times.len() / 2];
            print!("  {algorithm:?} {median:8.1} ({:7.0})", batch as f64 * 1e6 / median);
        }
        println!();
    }
}
