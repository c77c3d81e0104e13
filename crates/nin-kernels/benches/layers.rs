//! Every layer of the book's network: milliseconds, GFLOP/s and per cent of the peak, for the forward pass and for the
//! gradients, each answer checked before it is timed.
//!
//! `cargo bench -p nin-kernels -- [--batch N] [--threads N] [--filter TEXT] [--repeat N]`

use std::time::Instant;

use nin_kernels::{Algorithm, ConvBackward, ConvGeometry, ConvInput, Cpu, Isa, PoolGeometry};

/// What a row is asked for.
struct Options {
    batch: usize,
    threads: usize,
    repeat: usize,
    filter: String,
}

fn options() -> Options {
    let mut options = Options {
        batch: 32,
        threads: 2,
        repeat: 5,
        filter: String::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--bench" {
            continue;
        }
        let value = arguments.next().unwrap_or_default();
        let number = || {
            value
                .parse()
                .unwrap_or_else(|_| panic!("`{argument}` takes a number, found `{value}`"))
        };
        match argument.as_str() {
            "--batch" => options.batch = number(),
            "--threads" => options.threads = number(),
            "--repeat" => options.repeat = number(),
            "--filter" => options.filter = value,
            _ => panic!("unknown argument `{argument}`"),
        }
    }
    options
}

/// The best of so many runs, in seconds: other processes only ever make it longer.
fn best(repeat: usize, mut work: impl FnMut()) -> f64 {
    work();
    let times = (0..repeat).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

fn random(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// `[name, in, out, input size, kernel, stride, padding, layers of this kind]`.
const LAYERS: [(&str, usize, usize, usize, usize, usize, usize, usize); 8] = [
    ("11x11 s4 1->96", 1, 96, 224, 11, 4, 0, 1),
    ("1x1 96->96 54", 96, 96, 54, 1, 1, 0, 2),
    ("5x5 96->256 26", 96, 256, 26, 5, 1, 2, 1),
    ("1x1 256->256 26", 256, 256, 26, 1, 1, 0, 2),
    ("3x3 256->384 12", 256, 384, 12, 3, 1, 1, 1),
    ("1x1 384->384 12", 384, 384, 12, 1, 1, 0, 2),
    ("3x3 384->10 5", 384, 10, 5, 3, 1, 1, 1),
    ("1x1 10->10 5", 10, 10, 5, 1, 1, 0, 2),
];

const POOLS: [(&str, usize, usize); 3] = [
    ("pool 96 54", 96, 54),
    ("pool 256 26", 256, 26),
    ("pool 384 12", 384, 12),
];

/// Multiply-accumulates a second of a layer that fits the first-level cache: the peak, as these kernels can reach it.
fn peak(cpu: &Cpu, repeat: usize) -> f64 {
    let geometry =
        ConvGeometry::new(64, [64, 64], [12, 12], [3, 3], [1, 1], [0, 0]).expect("valid sizes");
    let (input, weight) = (
        random(1, geometry.input_len()),
        random(2, geometry.weight_len()),
    );
    let mut output = vec![0.0; geometry.output_len()];
    let seconds = best(repeat * 4, || {
        cpu.conv_relu_forward(
            &geometry,
            ConvInput::Panels(&input),
            &weight,
            None,
            true,
            &mut output,
        )
        .expect("checked sizes");
    });
    geometry.macs() as f64 / seconds
}

fn main() {
    let options = options();
    let isa = Isa::detect().expect("an instruction set");
    let cpu = Cpu::new(isa, options.threads).expect("threads");
    let direct = cpu.clone().with_algorithm(Algorithm::Direct);
    let reference = Cpu::new(Isa::Portable, options.threads)
        .expect("threads")
        .with_algorithm(Algorithm::Direct);
    let peak = peak(&direct, options.repeat);
    println!(
        "{isa}, {} threads, batch {}; near-peak kernel {:.1} GFLOP/s; ms, GFLOP/s of the direct count, % of that",
        options.threads,
        options.batch,
        2e-9 * peak
    );
    println!(
        "{:<18} {:>26} {:>26} {:>26}",
        "layer", "forward", "weight gradient", "both gradients"
    );
    let (mut infer, mut train) = (0.0, 0.0);
    for (name, inputs, outputs, size, kernel, stride, padding, count) in LAYERS {
        if !name.contains(&options.filter) {
            continue;
        }
        let geometry = ConvGeometry::new(
            options.batch,
            [inputs, outputs],
            [size; 2],
            [kernel; 2],
            [stride; 2],
            [padding; 2],
        )
        .expect("valid sizes");
        let planes = inputs < 8;
        let mut values = random(
            3,
            if planes {
                geometry.input_planes_len()
            } else {
                geometry.input_len()
            },
        );
        if inputs % 16 != 0 && !planes {
            values
                .chunks_exact_mut(16)
                .for_each(|pixel| pixel[inputs % 16..].fill(0.0));
        }
        let input = if planes {
            ConvInput::Planes(&values)
        } else {
            ConvInput::Panels(&values)
        };
        let weight = random(4, geometry.weight_len());
        let bias = random(5, outputs);
        let mut output = vec![0.0; geometry.output_len()];
        let mut grad_output = random(6, geometry.output_len());
        if outputs % 16 != 0 {
            grad_output
                .chunks_exact_mut(16)
                .for_each(|pixel| pixel[outputs % 16..].fill(0.0));
        }
        let mut grad_input = vec![0.0; values.len()];
        let mut grad_weight = vec![0.0; geometry.weight_len()];
        let mut grad_bias = vec![0.0; outputs];

        let forward = |cpu: &Cpu, output: &mut [f32]| {
            cpu.conv_relu_forward(&geometry, input, &weight, Some(&bias), true, output)
                .expect("checked sizes");
        };
        let mut backward =
            |cpu: &Cpu, with_input: bool, grad_input: &mut [f32], grad_weight: &mut [f32]| {
                let work = ConvBackward {
                    input,
                    weight: &weight,
                    grad_output: &grad_output,
                    output: None,
                    grad_input: with_input.then_some(grad_input),
                    mask_grad_input: !planes,
                    grad_weight,
                    grad_bias: Some(&mut grad_bias),
                };
                cpu.conv_relu_backward(&geometry, work)
                    .expect("checked sizes");
            };
        // Checked against the portable direct path on a first image or two would miss the reduction: all of it.
        let mut expected = (output.clone(), grad_input.clone(), grad_weight.clone());
        forward(&reference, &mut expected.0);
        backward(&reference, !planes, &mut expected.1, &mut expected.2);
        let forward_seconds = best(options.repeat, || forward(&cpu, &mut output));
        let weight_seconds = best(options.repeat, || {
            backward(&cpu, false, &mut grad_input, &mut grad_weight)
        });
        let both_seconds = if planes {
            weight_seconds
        } else {
            best(options.repeat, || {
                backward(&cpu, true, &mut grad_input, &mut grad_weight)
            })
        };
        for (what, found, expected) in [
            ("output", &output, &expected.0),
            ("input", &grad_input, &expected.1),
            ("weight", &grad_weight, &expected.2),
        ] {
            let error = relative_error(found, expected);
            assert!(error < 1e-4, "{name}: {what} differs by {error:e}");
        }
        let rate = |seconds: f64, passes: f64| {
            let macs = passes * geometry.macs() as f64 / seconds;
            format!(
                "{:8.2} {:9.1} {:6.0}%",
                seconds * 1e3,
                macs * 2e-9,
                100.0 * macs / peak
            )
        };
        println!(
            "{name:<18} {} {} {}",
            rate(forward_seconds, 1.0),
            rate(weight_seconds, 1.0),
            rate(both_seconds, if planes { 1.0 } else { 2.0 })
        );
        infer += forward_seconds * count as f64;
        train += (forward_seconds + both_seconds) * count as f64;
    }
    for (name, channels, size) in POOLS {
        if !name.contains(&options.filter) {
            continue;
        }
        let geometry = PoolGeometry::new(
            options.batch,
            channels,
            [size; 2],
            [3; 2],
            [2; 2],
            [0; 2],
            false,
        )
        .expect("valid sizes");
        let input = random(7, geometry.input_len());
        let gradient = random(8, geometry.output_len());
        let (mut output, mut positions) = (
            vec![0.0; geometry.output_len()],
            vec![0; geometry.output_len()],
        );
        let mut grad_input = vec![0.0; geometry.input_len()];
        let forward = best(options.repeat, || {
            cpu.max_pool_forward(&geometry, &input, &mut output, Some(&mut positions))
                .expect("checked sizes");
        });
        let backward = best(options.repeat, || {
            cpu.max_pool_backward(
                &geometry,
                &positions,
                &gradient,
                Some(&output),
                &mut grad_input,
            )
            .expect("checked sizes");
        });
        println!("{name:<18} {:8.2} {:>52.2}", forward * 1e3, backward * 1e3);
        infer += forward;
        train += forward + backward;
    }
    let images = options.batch as f64;
    println!(
        "kernels alone: inference {:.1} images/s, training {:.1} images/s",
        images / infer,
        images / train
    );
}

fn relative_error(found: &[f32], expected: &[f32]) -> f64 {
    let square =
        |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let difference = square(
        &mut found
            .iter()
            .zip(expected)
            .map(|(a, b)| f64::from(*a) - f64::from(*b)),
    );
    let size = square(&mut expected.iter().map(|&value| f64::from(value)));
    if size == 0.0 {
        difference.sqrt()
    } else {
        (difference / size).sqrt()
    }
}
