//! The book's network: milliseconds, GFLOP/s and per cent of the peak of every layer, for the forward pass and for the
//! gradients, with each result checked against the portable direct algorithm; then its blocks as whole calls, and images
//! per second.
//!
//! `cargo bench -p nin-kernels --bench layers -- [--batch N] [--threads N] [--repeat N] [--filter TEXT] [--clock wall|cpu]
//! [--precision fp32|bf16] [--algorithm auto|direct|winograd]`
//!
//! `NIN_CPU` overrides the instruction set. `--clock cpu` divides the processor time of all threads by their number (Linux
//! only): the wall time on an idle machine with an even split. For busy machines.

mod values;

use std::time::{Duration, Instant};

use nin_kernels::{
    Algorithm, Context, ConvBackward, ConvGeometry, ConvInput, Isa, MlpconvBackward,
    MlpconvGeometry, MlpconvSaved, MlpconvWeights, Precision,
};
use values::random;

/// The largest error of Winograd in fp32 in the tests: of the input gradient of F(4x4, 5x5).
const LARGEST_ERROR: f64 = 3e-5;

/// The largest error of products whose operands are both rounded to bf16, by at most 2^-9.
const LARGEST_ERROR_BF16: f64 = 1.0 / 256.0;

fn largest_error(precision: Precision) -> f64 {
    if precision == Precision::Bf16 { LARGEST_ERROR_BF16 } else { LARGEST_ERROR }
}

struct Layer {
    name: &'static str,
    channels: [usize; 2],
    size: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
}

const fn layer(
    name: &'static str,
    channels: [usize; 2],
    size: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Layer {
    Layer { name, channels, size, kernel, stride, padding }
}

/// The first layer of each block of the book's network at 224x224, and one of its two 1x1 layers.
const LAYERS: [Layer; 8] = [
    layer("11x11 s4 1->96", [1, 96], 224, 11, 4, 0),
    layer("1x1 96->96 54", [96, 96], 54, 1, 1, 0),
    layer("5x5 96->256 26", [96, 256], 26, 5, 1, 2),
    layer("1x1 256->256 26", [256, 256], 26, 1, 1, 0),
    layer("3x3 256->384 12", [256, 384], 12, 3, 1, 1),
    layer("1x1 384->384 12", [384, 384], 12, 1, 1, 0),
    layer("3x3 384->10 5", [384, 10], 5, 3, 1, 1),
    layer("1x1 10->10 5", [10, 10], 5, 1, 1, 0),
];

/// Some of its layers at 96x96, where weights are many and pixels few.
const SMALL_LAYERS: [Layer; 5] = [
    layer("5x5 96->256 10", [96, 256], 10, 5, 1, 2),
    layer("1x1 256->256 10", [256, 256], 10, 1, 1, 0),
    layer("3x3 256->384 4", [256, 384], 4, 3, 1, 1),
    layer("1x1 384->384 4", [384, 384], 4, 1, 1, 0),
    layer("3x3 384->10 1", [384, 10], 1, 3, 1, 1),
];

impl Layer {
    fn geometry(&self, batch: usize) -> ConvGeometry {
        let Self { channels, size, kernel, stride, padding, .. } = *self;
        ConvGeometry::new(batch, channels, [size; 2], [kernel; 2], [stride; 2], [padding; 2])
            .expect("valid sizes")
    }
}

struct Options {
    batch: usize,
    threads: usize,
    repeat: usize,
    filter: String,
    clock: Clock,
    precision: Precision,
    algorithm: Algorithm,
}

/// The clock to measure by.
#[derive(Clone, Copy)]
enum Clock {
    Wall(Instant),
    /// Processor time, divided by this number of threads.
    Cpu(usize),
}

impl Clock {
    /// Returns seconds since an arbitrary start.
    fn now(self) -> f64 {
        match self {
            Self::Wall(start) => start.elapsed().as_secs_f64(),
            Self::Cpu(threads) => cpu_seconds() / threads as f64,
        }
    }
}

/// Returns the processor time of all threads in seconds.
fn cpu_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let nanoseconds = tasks.map(|task| {
        let path = task.expect("Linux").path().join("schedstat");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace().next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0)
    });
    nanoseconds.sum::<f64>() * 1e-9
}

fn options() -> Options {
    let mut options = Options {
        batch: 32,
        threads: 2,
        repeat: 5,
        filter: String::new(),
        clock: Clock::Wall(Instant::now()),
        precision: Precision::Fp32,
        algorithm: Algorithm::Auto,
    };
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        let number = || {
            value.parse().unwrap_or_else(|_| panic!("`{argument}` takes a number, found `{value}`"))
        };
        match argument.as_str() {
            "--batch" => options.batch = number(),
            "--threads" => options.threads = number(),
            "--repeat" => options.repeat = number(),
            "--clock" if value == "cpu" => options.clock = Clock::Cpu(1),
            "--clock" if value == "wall" => {}
            "--precision" if value == "bf16" => options.precision = Precision::Bf16,
            "--precision" if value == "fp32" => {}
            "--algorithm" if value == "auto" => {}
            "--algorithm" if value == "direct" => options.algorithm = Algorithm::Direct,
            "--algorithm" if value == "winograd" => options.algorithm = Algorithm::Winograd,
            "--filter" => options.filter = value,
            _ => panic!("`{argument} {value}`: unknown argument, or a value that it does not take"),
        }
    }
    if let Clock::Cpu(threads) = &mut options.clock {
        *threads = options.threads;
    }
    options
}

/// Returns the seconds of the fastest of `repeat` runs, because other processes can only slow it down.
fn best(clock: Clock, repeat: usize, mut work: impl FnMut()) -> f64 {
    work();
    let times = (0..repeat).map(|_| {
        let start = clock.now();
        work();
        clock.now() - start
    });
    times.fold(f64::INFINITY, f64::min)
}

/// Returns random values in panels, with zeros in the channels that pad the last one.
fn random_panels(seed: u64, channels: usize, pixels: usize, len: usize) -> Vec<f32> {
    let mut values = random(seed, len);
    let panels = channels.div_ceil(16);
    for (index, lanes) in values.chunks_exact_mut(16).enumerate() {
        if index / pixels % panels == panels - 1 {
            lanes[channels - (panels - 1) * 16..].fill(0.0);
        }
    }
    values
}

fn relative_error(found: &[f32], expected: &[f32]) -> f64 {
    let square =
        |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let difference =
        square(&mut found.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    let size = square(&mut expected.iter().map(|&value| f64::from(value)));
    if size == 0.0 { difference.sqrt() } else { (difference / size).sqrt() }
}

/// The operands and results of one layer.
struct Bench {
    geometry: ConvGeometry,
    planes: bool,
    input: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    grad_output: Vec<f32>,
    output: Vec<f32>,
    grad_input: Vec<f32>,
    grad_weight: Vec<f32>,
    grad_bias: Vec<f32>,
}

impl Bench {
    fn new(layer: &Layer, batch: usize) -> Self {
        let geometry = layer.geometry(batch);
        let ([inputs, outputs], pixels) = (layer.channels, geometry.output_size().iter().product());
        let planes = inputs < 8;
        let input = if planes {
            random(3, geometry.input_planes_len())
        } else {
            random_panels(3, inputs, layer.size * layer.size, geometry.input_len())
        };
        Self {
            planes,
            weight: random(4, geometry.weight_len()),
            bias: random(5, outputs),
            grad_output: random_panels(6, outputs, pixels, geometry.output_len()),
            output: vec![0.0; geometry.output_len()],
            grad_input: vec![0.0; input.len()],
            grad_weight: vec![0.0; geometry.weight_len()],
            grad_bias: vec![0.0; outputs],
            input,
            geometry,
        }
    }

    fn input(&self) -> ConvInput<'_> {
        if self.planes { ConvInput::Planes(&self.input) } else { ConvInput::Panels(&self.input) }
    }

    fn forward(&mut self, context: &Context) {
        let mut output = std::mem::take(&mut self.output);
        context
            .conv_relu_forward(
                &self.geometry,
                self.input(),
                &self.weight,
                Some(&self.bias),
                true,
                &mut output,
            )
            .expect("checked sizes");
        self.output = output;
    }

    fn backward(&mut self, context: &Context, with_input: bool) {
        let input = if self.planes {
            ConvInput::Planes(&self.input)
        } else {
            ConvInput::Panels(&self.input)
        };
        let work = ConvBackward {
            input,
            weight: &self.weight,
            grad_output: &self.grad_output,
            output: None,
            grad_input: with_input.then_some(&mut self.grad_input),
            mask_grad_input: true,
            grad_weight: &mut self.grad_weight,
            grad_bias: Some(&mut self.grad_bias),
        };
        context.conv_relu_backward(&self.geometry, work).expect("checked sizes");
    }
}

fn layers(options: &Options, context: &Context, reference: &Context, peak: f64) {
    println!(
        "{:<18} {:<12} {:>24} {:>24} {:>24}",
        "layer", "algorithm", "forward", "weight gradient", "both gradients"
    );
    let layers = LAYERS.iter().chain(&SMALL_LAYERS);
    for layer in layers.filter(|layer| layer.name.contains(&options.filter)) {
        let mut expected = Bench::new(layer, options.batch);
        let with_input = !expected.planes;
        expected.forward(reference);
        expected.backward(reference, with_input);
        let mut bench = Bench::new(layer, options.batch);
        let forward = best(options.clock, options.repeat, || bench.forward(context));
        let weight = best(options.clock, options.repeat, || bench.backward(context, false));
        let both = if with_input {
            best(options.clock, options.repeat, || bench.backward(context, true))
        } else {
            weight
        };
        for (what, found, expected) in [
            ("output", &bench.output, &expected.output),
            ("input gradient", &bench.grad_input, &expected.grad_input),
            ("weight gradient", &bench.grad_weight, &expected.grad_weight),
            ("bias gradient", &bench.grad_bias, &expected.grad_bias),
        ] {
            let error = relative_error(found, expected);
            assert!(
                error < largest_error(options.precision),
                "{}: {what} differs by {error:e}",
                layer.name
            );
        }
        let rate = |seconds: f64, passes: f64| {
            let macs = passes * bench.geometry.macs() as f64 / seconds;
            format!("{:8.2} {:9.1} {:5.0}%", seconds * 1e3, macs * 2e-9, 100.0 * macs / peak)
        };
        let passes = if with_input { 2.0 } else { 1.0 };
        println!(
            "{:<18} {:<12} {} {} {}",
            layer.name,
            context.algorithm_of(&bench.geometry, bench.input()),
            rate(forward, 1.0),
            rate(weight, 1.0),
            rate(both, passes)
        );
    }
}

/// The operands and results of one block.
struct Block {
    geometry: MlpconvGeometry,
    input: Vec<f32>,
    weight: [Vec<f32>; 3],
    bias: [Vec<f32>; 3],
    hidden: [Vec<f32>; 2],
    positions: Vec<u8>,
    output: Vec<f32>,
    grad_output: Vec<f32>,
    grad_input: Vec<f32>,
    grad_weight: [Vec<f32>; 3],
    grad_bias: [Vec<f32>; 3],
}

impl Block {
    fn new(context: &Context, layer: &Layer, batch: usize, pooled: bool) -> Self {
        let (first, width) = (layer.geometry(batch), layer.channels[1]);
        let mut geometry = MlpconvGeometry::new(first, [width; 2]).expect("valid sizes");
        if pooled {
            geometry = geometry.with_max_pool([3, 3], [2, 2], [0, 0], false).expect("valid sizes");
        }
        let weight = geometry.layers().map(|layer| {
            // Weights that preserve the variance, so that values stay in range through all twelve layers.
            let [inputs, outputs] = layer.channels();
            let scale = (6.0 * outputs as f32 / layer.weight_len() as f32).sqrt();
            random(inputs as u64, layer.weight_len()).iter().map(|value| value * scale).collect()
        });
        let grad_weight = geometry.layers().map(|layer| vec![0.0; layer.weight_len()]);
        let input_len =
            if layer.channels[0] < 8 { first.input_planes_len() } else { first.input_len() };
        let pixels = geometry.output_size().iter().product();
        Self {
            input: vec![0.5; input_len],
            weight,
            bias: [1, 2, 3].map(|seed| random(seed, width)),
            hidden: geometry.hidden_len(context).map(|len| vec![0.0; len]),
            positions: vec![0; geometry.positions_len()],
            output: vec![0.0; geometry.output_len()],
            grad_output: random_panels(9, width, pixels, geometry.output_len()),
            grad_input: vec![0.0; input_len],
            grad_weight,
            grad_bias: [0; 3].map(|_| vec![0.0; width]),
            geometry,
        }
    }

    fn forward(&mut self, context: &Context, training: bool) {
        let input = if self.geometry.layers()[0].channels()[0] < 8 {
            ConvInput::Planes(&self.input)
        } else {
            ConvInput::Panels(&self.input)
        };
        let weights = MlpconvWeights {
            weight: self.weight.each_ref().map(Vec::as_slice),
            bias: self.bias.each_ref().map(|bias| Some(bias.as_slice())),
        };
        let [first, second] = &mut self.hidden;
        let saved = MlpconvSaved { hidden: [first, second], positions: &mut self.positions };
        context
            .mlpconv_forward(
                &self.geometry,
                input,
                &weights,
                &mut self.output,
                training.then_some(saved),
            )
            .expect("checked sizes");
    }

    fn backward(&mut self, context: &Context) {
        let planes = self.geometry.layers()[0].channels()[0] < 8;
        let work = MlpconvBackward {
            input: if planes {
                ConvInput::Planes(&self.input)
            } else {
                ConvInput::Panels(&self.input)
            },
            weights: MlpconvWeights {
                weight: self.weight.each_ref().map(Vec::as_slice),
                bias: self.bias.each_ref().map(|bias| Some(bias.as_slice())),
            },
            hidden: self.hidden.each_ref().map(Vec::as_slice),
            positions: &self.positions,
            output: &self.output,
            grad_output: &self.grad_output,
            grad_input: (!planes).then_some(&mut self.grad_input),
            grad_weight: self.grad_weight.each_mut().map(Vec::as_mut_slice),
            grad_bias: self.grad_bias.each_mut().map(|bias| Some(bias.as_mut_slice())),
        };
        context.mlpconv_backward(&self.geometry, work).expect("checked sizes");
    }
}

/// Times the twelve layers and three pools of the network on preallocated buffers.
fn network(options: &Options, context: &Context) {
    let mut blocks: Vec<Block> = LAYERS
        .iter()
        .step_by(2)
        .enumerate()
        .map(|(index, layer)| Block::new(context, layer, options.batch, index < 3))
        .collect();
    blocks[0].input = random(7, blocks[0].input.len());
    let mut totals = [0.0; 3];
    println!(
        "{:<18} {:>12} {:>12} {:>12}",
        "block and pool, ms", "inference", "forward", "backward"
    );
    for index in 0..blocks.len() {
        let block = &mut blocks[index];
        let times = [
            best(options.clock, options.repeat, || block.forward(context, false)),
            best(options.clock, options.repeat, || block.forward(context, true)),
            best(options.clock, options.repeat, || block.backward(context)),
        ];
        let output = block.output.clone();
        if let Some(next) = blocks.get_mut(index + 1) {
            next.input = output;
        }
        let name = LAYERS[2 * index].name;
        println!(
            "{name:<18} {:12.2} {:12.2} {:12.2}",
            times[0] * 1e3,
            times[1] * 1e3,
            times[2] * 1e3
        );
        totals.iter_mut().zip(times).for_each(|(total, time)| *total += time);
    }
    let images = options.batch as f64;
    let [inference, forward, backward] = totals;
    println!(
        "inference {:.1} images/s, training {:.1} images/s",
        images / inference,
        images / (forward + backward)
    );
}

fn main() {
    let options = options();
    let isa = std::env::var("NIN_CPU").map_or_else(
        |_| Isa::detect(),
        |name| name.parse().expect("`NIN_CPU` is the name of an instruction set"),
    );
    let context = Context::new(isa, options.threads).expect("threads");
    let context = context.with_precision(options.precision).with_algorithm(options.algorithm);
    let reference = Context::new(Isa::Portable, options.threads).expect("threads");
    let reference = reference.with_algorithm(Algorithm::Direct);
    let peak = context.measure_peak_flops(Duration::from_millis(300)) / 2.0;
    println!(
        "{isa}, {:?}, {:?}, {} threads, batch {}; peak {:.1} GFLOP/s; below: ms, GFLOP/s by the direct count, % of the peak",
        options.precision,
        options.algorithm,
        options.threads,
        options.batch,
        2e-9 * peak
    );
    layers(&options, &context, &reference, peak);
    if options.filter.is_empty() {
        network(&options, &context);
    }
}
