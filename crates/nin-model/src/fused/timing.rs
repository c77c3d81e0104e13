//! How long each layer takes by the fused kernels, and what of the CPU's peak that is.

use std::time::{Duration, Instant};

use nin_kernels::{
    ConvBackward, ConvGeometry, ConvInput, Cpu, Error, MlpconvGeometry, PANEL, PoolGeometry,
    panels_len,
};

use crate::block_geometry::block_geometry;
use crate::{Architecture, Block, Precision};

/// For how long the peak is measured.
const PEAK_DURATION: Duration = Duration::from_millis(300);

/// A layer by itself on a batch, the best of several runs: other processes can only slow it down.
#[derive(Debug, Clone)]
pub struct LayerTiming {
    /// What it is: `5x5 96->256`, `1x1 256->256`, `max pool 3x3`.
    pub layer: String,
    /// The block that it belongs to, from 1.
    pub block: usize,
    /// `[height, width]` of its output.
    pub output_size: [usize; 2],
    /// How it is computed: `direct`, `F(4x4, 5x5)`, `pool`, ..
    pub algorithm: &'static str,
    /// Multiply-accumulates of a forward pass over the batch, counted as the direct algorithm does; 0 for a pool.
    pub macs: u64,
    /// A forward pass.
    pub forward: Duration,
    /// All gradients.
    pub backward: Duration,
    /// Products of the backward pass as often as `macs`: 2, or 1 where the input is the image, whose gradient nobody wants.
    pub backward_passes: u64,
}

/// The layers of a network, one by one.
#[derive(Debug, Clone)]
pub struct NetworkTiming {
    /// The instruction set's name.
    pub kernels: &'static str,
    /// What all threads reach together on registers alone, in fp32 operations a second.
    pub peak_flops: f64,
    /// First to last; a block's three convolutions, then its pool.
    pub layers: Vec<LayerTiming>,
}

/// Times every layer of the network by itself, on random values: the convolutions outside the blocks in which a network
/// runs them, where activations stay in the cache.
///
/// # Errors
/// [`nin_kernels::Error`] where the images are too small for the network, or `NIN_CPU` names what this CPU lacks.
pub fn time_layers(
    architecture: &Architecture,
    input: [usize; 3],
    batch: usize,
    repeat: usize,
    precision: Precision,
) -> Result<NetworkTiming, Error> {
    let cpu = Cpu::shared()?.with_precision(precision.into());
    let [_, height, width] = input;
    let mut size = [height, width];
    let mut layers = Vec::new();
    for (index, (block, channels)) in architecture.block_channels().enumerate() {
        let clock = Clock { cpu: &cpu, batch, repeat, block: index + 1 };
        let convolution = [block.kernel, block.stride, block.padding];
        let geometry = block_geometry(batch, channels, size, convolution, block.pool.as_ref())?;
        clock.block(block, &geometry, &mut layers)?;
        size = geometry.output_size();
    }
    let peak_flops = cpu.measure_peak_flops(PEAK_DURATION);
    Ok(NetworkTiming { kernels: cpu.name(), peak_flops, layers })
}

struct Clock<'a> {
    cpu: &'a Cpu,
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
            self.cpu.conv_relu_forward(geometry, input, &weight, Some(&bias), true, &mut output)
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
            self.cpu.conv_relu_backward(geometry, work)
        })?;
        Ok(LayerTiming {
            layer: format!("{kernel}x{kernel} {inputs}->{outputs}"),
            block: self.block,
            output_size: geometry.output_size(),
            algorithm: self.cpu.algorithm_of(geometry, input),
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
            self.cpu.max_pool_forward(geometry, &input, &mut output, Some(&mut positions))
        })?;
        let backward = self.best(|| {
            self.cpu.max_pool_backward(geometry, &positions, &grad_output, None, &mut grad_input)
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

    /// The best of several runs, after one to warm up.
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

/// Values in -1..1 that are the same each time.
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

/// The same in panels: zero in the channels that only fill up the last.
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
