//! Each pass of each layer of the book's network, by each algorithm, with every tile: milliseconds and GFLOP/s of the convolution
//! on the default adapter, and whether nin-gpu takes this algorithm and tile. Prints one JSON object.
//!
//! `cargo bench -p nin-gpu --bench tiles -- [--batch N] [--divisor N] [--repeat N] [--secs N]`
//!
//! `--divisor` divides the number of channels, for software adapters. After `--secs` it measures no further; what is
//! chosen comes first, then tile by tile.

use std::time::{Duration, Instant};

use cubecl::future::block_on;
use cubecl::prelude::*;
use cubecl::server::Handle;
use cubecl::wgpu::{WgpuDevice, WgpuRuntime};
use nin_gpu::{ConvGeometry, Convolution, Pass, TILES, Tile, Window};

type Client = ComputeClient<WgpuRuntime>;

#[derive(Clone, Copy)]
struct Layer {
    name: &'static str,
    channels: [usize; 2],
    side: usize,
    window: Window,
}

const fn layer(
    name: &'static str,
    channels: [usize; 2],
    side: usize,
    [kernel, stride, padding]: [usize; 3],
) -> Layer {
    Layer { name, channels, side, window: Window { kernel, stride, padding } }
}

/// The first layer of each block, and one of its two 1x1 layers; the quick start's block at the end.
const LAYERS: [Layer; 9] = [
    layer("11x11 s4 1->96", [1, 96], 224, [11, 4, 0]),
    layer("1x1 96->96 54", [96, 96], 54, [1, 1, 0]),
    layer("5x5 96->256 26", [96, 256], 26, [5, 1, 2]),
    layer("1x1 256->256 26", [256, 256], 26, [1, 1, 0]),
    layer("3x3 256->384 12", [256, 384], 12, [3, 1, 1]),
    layer("1x1 384->384 12", [384, 384], 12, [1, 1, 0]),
    layer("3x3 384->10 5", [384, 10], 5, [3, 1, 1]),
    layer("1x1 10->10 5", [10, 10], 5, [1, 1, 0]),
    layer("5x5 32->32 14", [32, 32], 14, [5, 1, 2]),
];

struct Options {
    batch: usize,
    divisor: usize,
    repeat: usize,
    secs: usize,
}

impl Options {
    fn from_arguments() -> Self {
        let mut options = Self { batch: 128, divisor: 1, repeat: 3, secs: 600 };
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(name) = arguments.next() {
            let value = arguments.next().and_then(|value| value.parse().ok());
            let value = value.filter(|&value| value > 0).expect("a positive number");
            match name.as_str() {
                "--batch" => options.batch = value,
                "--divisor" => options.divisor = value,
                "--repeat" => options.repeat = value,
                "--secs" => options.secs = value,
                _ => panic!("unknown option {name}"),
            }
        }
        options
    }
}

/// The buffers of a convolution.
struct Buffers {
    input: Handle,
    weight: Handle,
    bias: Handle,
    gradient: Handle,
}

impl Buffers {
    fn new(client: &Client, geometry: &ConvGeometry, outputs: usize) -> Self {
        let numbers = |len: usize| {
            let values: Vec<f32> = (0..len).map(|at| (at % 251) as f32 / 251.0 - 0.5).collect();
            client.create_from_slice(f32::as_bytes(&values))
        };
        Self {
            input: numbers(geometry.input_len()),
            weight: numbers(geometry.weight_len()),
            bias: numbers(outputs),
            gradient: numbers(geometry.output_len()),
        }
    }

    fn run(&self, client: &Client, convolution: &Convolution, pass: Pass) {
        let Self { input, weight, bias, gradient } = self;
        match pass {
            Pass::Forward => {
                drop(convolution.forward(client, [input, weight, bias]).expect("it fits"));
            }
            Pass::InputGradient => drop(
                convolution
                    .input_gradient(client, [gradient, weight], Some(input))
                    .expect("it fits"),
            ),
            Pass::WeightGradient => {
                drop(convolution.parameter_gradients(client, [input, gradient]).expect("it fits"));
            }
        }
        block_on(client.sync()).expect("the device works");
    }
}

/// A layer's convolution by each algorithm.
struct Candidate {
    name: &'static str,
    passes: &'static [Pass],
    chosen: Convolution,
    algorithms: Vec<Convolution>,
    buffers: Buffers,
}

impl Candidate {
    fn new(client: &Client, layer: Layer, options: &Options) -> Self {
        let Layer { name, channels, side, window } = layer;
        // A single channel and the classes stay.
        let channels = channels.map(|it| if it > 10 { (it / options.divisor).max(1) } else { it });
        let geometry =
            ConvGeometry::new(options.batch, channels, [side; 2], window).expect("valid sizes");
        let direct = Convolution::direct(geometry);
        let algorithms = [Some(direct), Convolution::winograd(geometry)];
        // No training needs the gradient of the images.
        let passes: &[Pass] =
            if channels[0] == 1 { &[Pass::Forward, Pass::WeightGradient] } else { &Pass::ALL };
        Self {
            name,
            passes,
            chosen: Convolution::new(geometry),
            algorithms: algorithms.into_iter().flatten().collect(),
            buffers: Buffers::new(client, &geometry, channels[1]),
        }
    }

    /// Measures a pass with a tile, and returns the row.
    fn row(&self, client: &Client, convolution: &Convolution, pass: Pass, repeat: usize) -> String {
        let (algorithm, tile) = (convolution.algorithm(pass), convolution.tile(pass));
        let milliseconds = measure(client, convolution, pass, &self.buffers, repeat);
        let gflops = convolution.cost(pass).flops as f64 / milliseconds / 1e6;
        let is_chosen = algorithm == self.chosen.algorithm(pass) && tile == self.chosen.tile(pass);
        format!(
            r#"{{"layer":"{}","pass":"{pass:?}","algorithm":"{algorithm:?}","tile":"{}","chosen":{is_chosen},"ms":{milliseconds:.3},"gflops":{gflops:.1}}}"#,
            self.name,
            describe(tile)
        )
    }
}

fn main() {
    let options = Options::from_arguments();
    let client = WgpuRuntime::client(&WgpuDevice::default());
    let end = Instant::now() + Duration::from_secs(options.secs as u64);
    let candidates = LAYERS.map(|layer| Candidate::new(&client, layer, &options));
    let (mut rows, mut left_out) = (Vec::new(), 0);
    for tile in std::iter::once(None).chain(TILES.map(Some)) {
        let all = candidates.iter().flat_map(|it| it.passes.iter().map(move |&pass| (it, pass)));
        for (candidate, pass) in all {
            for convolution in &candidate.algorithms {
                let convolution = match tile {
                    None => *convolution,
                    Some(tile) if tile == convolution.tile(pass) => continue,
                    Some(tile) => convolution.with_tile(tile).expect("a valid tile"),
                };
                if Instant::now() < end {
                    rows.push(candidate.row(&client, &convolution, pass, options.repeat));
                } else {
                    left_out += 1;
                }
            }
        }
    }
    let Options { batch, divisor, repeat, .. } = options;
    println!(
        "{{\"batch\":{batch},\"divisor\":{divisor},\"repeat\":{repeat},\"left_out\":{left_out},\"rows\":[\n{}\n]}}",
        rows.join(",\n")
    );
}

fn describe(Tile { rows, columns, depth, thread_rows, thread_columns }: Tile) -> String {
    format!("{rows}x{columns}x{depth}/{thread_rows}x{thread_columns}")
}

/// Returns the least milliseconds of a pass, after a run that compiles the kernel.
fn measure(
    client: &Client,
    convolution: &Convolution,
    pass: Pass,
    buffers: &Buffers,
    repeat: usize,
) -> f64 {
    buffers.run(client, convolution, pass);
    let elapsed = (0..repeat).map(|_| {
        let start = Instant::now();
        buffers.run(client, convolution, pass);
        start.elapsed().as_secs_f64() * 1e3
    });
    elapsed.fold(f64::INFINITY, f64::min)
}
