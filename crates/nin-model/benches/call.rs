//! One image of the quick start's network: microseconds in the kernels alone, and with the library around them.
//!
//! `cargo bench -p nin-model --bench call -- [--secs S]`
//!
//! The rows take turns. `kernels` is `nin_kernels::Inference`, on weights that lie there. The others are [`InferencePlan`] on
//! flex, from a tensor of images to a vector of logits or class maps.

use std::time::Instant;

use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use nin_kernels::{Context, ConvGeometry, ConvInput, Inference, MlpconvGeometry, MlpconvWeights};
use nin_model::{
    Architecture, Block, HostTensor, InferencePlan, Initialization, ModelError, NetworkInNetwork,
    Pool, Weights, Width,
};

const SIDE: usize = 28;

/// The network of the recipe `quickstart`.
fn quickstart() -> Result<Architecture, ModelError> {
    let pool = Pool { kernel: 3, stride: 2, padding: 0, ceil_mode: true };
    let block = |kernel, padding, widths, pool| Block {
        kernel,
        stride: 1,
        padding,
        widths,
        pool,
        dropout: 0.0,
    };
    let [narrow, wide] = [32, 64].map(Width::Channels);
    let blocks = vec![
        block(5, 2, [narrow; 3], Some(pool)),
        block(3, 1, [wide; 3], Some(pool)),
        block(3, 1, [wide, wide, Width::CLASSES], None),
    ];
    Architecture::new("quickstart", 1, 10, blocks)
}

/// The blocks of the network, as the kernels take them.
fn blocks(architecture: &Architecture, weights: &Weights) -> Vec<(MlpconvGeometry, [Vec<f32>; 6])> {
    let (mut channels, mut size) = (1, [SIDE; 2]);
    let block = |(index, block): (usize, &nin_model::Block)| {
        let values = |layer: &str, part: &str| {
            weights
                .get(&format!("blocks.{index}.{layer}.{part}"))
                .expect("its weights")
                .values
                .clone()
        };
        let parameters = [
            values("convolution", "weight"),
            values("convolution", "bias"),
            values("cccp1", "weight"),
            values("cccp1", "bias"),
            values("cccp2", "weight"),
            values("cccp2", "bias"),
        ];
        let [first, second, third] = [1, 3, 5].map(|bias| parameters[bias].len());
        let (kernel, stride, padding) = ([block.kernel; 2], [block.stride; 2], [block.padding; 2]);
        let convolution =
            ConvGeometry::new(1, [channels, first], size, kernel, stride, padding).expect("sizes");
        let mut geometry = MlpconvGeometry::new(convolution, [second, third]).expect("sizes");
        if let Some(pool) = &block.pool {
            let (kernel, stride, padding) = ([pool.kernel; 2], [pool.stride; 2], [pool.padding; 2]);
            geometry =
                geometry.with_max_pool(kernel, stride, padding, pool.ceil_mode).expect("sizes");
        }
        (channels, size) = (third, geometry.output_size());
        (geometry, parameters)
    };
    architecture.blocks().iter().enumerate().map(block).collect()
}

/// What is measured, and the microseconds of its calls.
struct Row<'a> {
    name: &'static str,
    call: Box<dyn FnMut() -> Result<(), ModelError> + 'a>,
    times: Vec<f64>,
}

impl<'a> Row<'a> {
    fn new(name: &'static str, call: impl FnMut() -> Result<(), ModelError> + 'a) -> Self {
        Self { name, call: Box::new(call), times: Vec::new() }
    }
}

fn main() -> Result<(), ModelError> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let secs: f64 = match arguments.next().as_deref() {
        None => 1.0,
        Some("--secs") => arguments.next().and_then(|secs| secs.parse().ok()).expect("a number"),
        Some(other) => panic!("`{other}`: unknown argument"),
    };
    let architecture = quickstart()?;
    let weights = Initialization::Kaiming.weights(&architecture, 1);
    let network = NetworkInNetwork::<Flex>::from_weights(&architecture, &weights, &FlexDevice)?;
    let plan = InferencePlan::new(network)?;
    let values: Vec<f32> = (0..SIDE * SIDE).map(|at| (at * 37 % 256) as f32 / 255.0).collect();

    let blocks = blocks(&architecture, &weights);
    let operands: Vec<_> = blocks
        .iter()
        .map(|(geometry, parameters)| {
            let [weight_1, bias_1, weight_2, bias_2, weight_3, bias_3] =
                parameters.each_ref().map(Vec::as_slice);
            let bias = [bias_1, bias_2, bias_3].map(Some);
            (*geometry, MlpconvWeights { weight: [weight_1, weight_2, weight_3], bias })
        })
        .collect();
    let kernels = Inference::new(&Context::shared()?, blocks.len());
    let mut output = vec![0.0; blocks[blocks.len() - 1].0.output_len()];

    let images = || {
        let data = TensorData::new(values.clone(), [1, 1, SIDE, SIDE]);
        Tensor::<Flex, 4>::from_data(data, &FlexDevice)
    };
    let logits = || HostTensor::read("logits", &plan.forward(images())).map(drop);
    let class_maps = || HostTensor::read("class maps", &plan.class_maps(images())).map(drop);
    let kernels_alone = || Ok(kernels.run(&operands, ConvInput::Planes(&values), &mut output)?);
    let mut rows = [
        Row::new("kernels", kernels_alone),
        Row::new("logits", logits),
        Row::new("class maps", class_maps),
    ];
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < secs {
        for row in &mut rows {
            for repeat in 0..24 {
                let begun = Instant::now();
                (row.call)()?;
                // The first calls find the cache filled by another row.
                if repeat >= 8 {
                    row.times.push(begun.elapsed().as_secs_f64() * 1e6);
                }
            }
        }
    }
    for Row { name, mut times, .. } in rows {
        times.sort_by(f64::total_cmp);
        println!("{name:<12} {:6.2} µs", times[times.len() / 2]);
    }
    Ok(())
}
