//! The time of each layer by the CPU kernels, and the peak of the CPU.

use std::time::{Duration, Instant};

use nin_kernels::{
    Context, ConvBackward, ConvGeometry, ConvInput, Error, MlpconvGeometry, PANEL, PoolGeometry,
    panels_len,
};

use nin_model::{Architecture, Block, Pool, Precision};

/// How long to measure the peak.
const PEAK_DURATION: Duration = Duration::from_millis(300);

/// The time of one layer on a batch: the fastest of several runs, because other processes can only slow it down.
#[derive(Debug, Clone)]
pub(super) struct LayerTiming {
    /// The layer: `5x5 96->256`, `1x1 256->256`, `max pool 3x3`.
    pub(super) layer: String,
    /// The number of its block, from 1.
    pub(super) block: usize,
    /// The size of the output, `[height, width]`.
    pub(super) output_size: [usize; 2],
    /// The algorithm: `direct`, `F(4x4, 5x5)`, `pool`, ...
    pub(super) algorithm: &'static str,
    /// Multiply-accumulates of a forward pass over the batch by the direct algorithm; 0 for a pool.
    pub(super) macs: u64,
    /// The time of a forward pass.
    pub(super) forward: Duration,
    /// The time of a backward pass.
    pub(super) backward: Duration,
    /// The products of the backward pass, as a multiple of `macs`: 2, or 1 for the first layer, which has no input gradient.
    pub(super) backward_passes: u64,
}

/// The times of all layers of a network.
#[derive(Debug, Clone)]
pub(super) struct NetworkTiming {
    /// The name of the instruction set.
    pub(super) kernels: &'static str,
    /// The peak of all threads in fp32 operations per second, on registers alone.
    pub(super) peak_flops: f64,
    /// The layers, first to last: the three convolutions of each block, then its pool.
    pub(super) layers: Vec<LayerTiming>,
}

/// Times every layer of a network on its own, on random values. A network runs whole blocks, in which activations stay in
/// the cache.
pub(super) fn time_layers(
    architecture: &Architecture,
    input: [usize; 3],
    batch: usize,
    repeat: usize,
    precision: Precision,
) -> Result<NetworkTiming, Error> {
    let context = Context::shared()?.with_precision(precision.into());
    let [_, height, width] = input;
    let mut size = [height, width];
    let mut layers = Vec::new();
    for (index, (block, channels)) in architecture.block_channels().enumerate() {
        let clock = Clock { context: &context, batch, repeat, block: index + 1 };
        let geometry = block_geometry(block, batch, channels, size)?;
        clock.block(block, &geometry, &mut layers)?;
        size = geometry.output_size();
    }
    let peak_flops = context.measure_peak_flops(PEAK_DURATION);
    Ok(NetworkTiming { kernels: context.name(), peak_flops, layers })
}

/// Returns the sizes of a block on a batch, given its `[input, first, second, third]` channels.
fn block_geometry(
    block: &Block,
    batch: usize,
    [input, first, second, third]: [usize; 4],
    size: [usize; 2],
) -> Result<MlpconvGeometry, Error> {
    let Block { kernel, stride, padding, .. } = *block;
    let convolution =
        ConvGeometry::new(batch, [input, first], size, [kernel; 2], [stride; 2], [padding; 2])?;
    let geometry = MlpconvGeometry::new(convolution, [second, third])?;
    match block.pool {
        None => Ok(geometry),
        Some(Pool { kernel, stride, padding, ceil_mode }) => {
            geometry.with_max_pool([kernel; 2], [stride; 2], [padding; 2], ceil_mode)
        }
    }
}

/// Times the layers of one block.
struct Clock<'a> {
    context: &'a Context,
    batch: usize,
    repeat: usize,
    block: usize,
}

impl Clock<'_> {
    /// Times a block's layers.
    fn block(
        &self,
        block: &Block,
        geometry: &MlpconvGeometry,
        layers: &mut Vec<LayerTiming>,
    ) -> Result<(), Error> {
        let kernels = [block.kernel, 1, 1];
        for (layer, (geometry, kernel)) in geometry.layers().iter().zip(kernels).enumerate() {
            layers.push(self.convolution(geometry, kernel, layer == 0 && self.block == 1)?);
        }
        if let (Some(geometry), Some(pool)) = (geometry.pool(), block.pool) {
            layers.push(self.pool(geometry, pool.kernel)?);
        }
        Ok(())
    }

    fn convolution(
        &self,
        geometry: &ConvGeometry,
        kernel: usize,
        is_first: bool,
    ) -> Result<LayerTiming, Error> {
        let [inputs, outputs] = geometry.channels();
        let pixels = |[height, width]: [usize; 2]| height * width;
        let planes = random(geometry.input_planes_len());
        let panels = random_panels(self.batch, inputs, pixels(geometry.input_size()));
        let input = if is_first { ConvInput::Planes(&planes) } else { ConvInput::Panels(&panels) };
        let (weight, bias) = (random(geometry.weight_len()), random(outputs));
        let mut output = vec![0.0; geometry.output_len()];
        let forward = self.best(|| {
            self.context.conv_relu_forward(geometry, input, &weight, Some(&bias), true, &mut output)
        })?;
        let grad_output = random_panels(self.batch, outputs, pixels(geometry.output_size()));
        let mut grad_input = vec![0.0; panels.len()];
        let (mut grad_weight, mut grad_bias) = (vec![0.0; weight.len()], vec![0.0; outputs]);
        let backward = self.best(|| {
            let work = ConvBackward {
                input,
                weight: &weight,
                grad_output: &grad_output,
                output: None,
                grad_input: (!is_first).then_some(&mut *grad_input),
                mask_grad_input: true,
                grad_weight: &mut grad_weight,
                grad_bias: Some(&mut grad_bias),
            };
            self.context.conv_relu_backward(geometry, work)
        })?;
        Ok(LayerTiming {
            layer: format!("{kernel}x{kernel} {inputs}->{outputs}"),
            block: self.block,
            output_size: geometry.output_size(),
            algorithm: self.context.algorithm_of(geometry, input),
            macs: geometry.macs(),
            forward,
            backward,
            backward_passes: if is_first { 1 } else { 2 },
        })
    }

    fn pool(&self, geometry: &PoolGeometry, kernel: usize) -> Result<LayerTiming, Error> {
        let (input, grad_output) = (random(geometry.input_len()), random(geometry.output_len()));
        let (mut output, mut grad_input) = (vec![0.0; grad_output.len()], vec![0.0; input.len()]);
        let mut positions = vec![0; output.len()];
        let forward = self.best(|| {
            self.context.max_pool_forward(geometry, &input, &mut output, Some(&mut positions))
        })?;
        let backward = self.best(|| {
            self.context.max_pool_backward(
                geometry,
                &positions,
                &grad_output,
                None,
                &mut grad_input,
            )
        })?;
        Ok(LayerTiming {
            layer: format!("max pool {kernel}x{kernel}"),
            block: self.block,
            output_size: geometry.output_size(),
            algorithm: "pool",
            macs: 0,
            forward,
            backward,
            backward_passes: 2,
        })
    }

    /// Returns the time of the fastest of several runs, after one to warm up.
    fn best(&self, mut work: impl FnMut() -> Result<(), Error>) -> Result<Duration, Error> {
        work()?;
        let mut best = Duration::MAX;
        for _ in 0..self.repeat.max(1) {
            let begun = Instant::now();
            work()?;
            best = best.min(begun.elapsed());
        }
        Ok(best)
    }
}

/// Returns values in -1..1, the same each time.
fn random(len: usize) -> Vec<f32> {
    let mut state = 0x9E37_79B9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1_u32 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Returns random values in panels, with zeros in the channels that pad the last panel.
fn random_panels(batch: usize, channels: usize, pixels: usize) -> Vec<f32> {
    let mut values = random(panels_len(batch, channels, pixels));
    let panels = channels.div_ceil(PANEL);
    for (index, lanes) in values.chunks_exact_mut(PANEL).enumerate() {
        if index / pixels % panels == panels - 1 {
            lanes[channels - (panels - 1) * PANEL..].fill(0.0);
        }
    }
    values
}
