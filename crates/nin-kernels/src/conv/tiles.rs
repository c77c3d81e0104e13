//! Convolutions of stride one with bf16 operands in tiles, summed in fp32: any kernel, each image by itself.

use rayon::prelude::*;

use crate::arch::TilesArch;
use crate::arch::generic::{
    BLOCK_PIXELS, End, FillGrid, Grid, TILE_CHANNELS, TILE_LEN, TILE_WORDS, TileMultiply,
    TileOuter, TurnGrid, ZipGrid, evened,
};
use crate::cpu::Cpu;
use crate::geometry::ConvGeometry;
use crate::panels::{PANEL, panels_of};
use crate::precision::word;
use crate::scratch::Scratch;

/// What multiplies tiles, where a convolution over panels is to be in bf16 and lies in tiles.
pub(crate) fn tiles(cpu: &Cpu, geometry: &ConvGeometry) -> Option<TilesArch> {
    let within = |axis: usize| geometry.padding[axis] < geometry.kernel[axis];
    cpu.tiles().filter(|_| geometry.stride == [1, 1] && within(0) && within(1))
}

/// How a convolution's output walks over its input.
#[derive(Debug)]
struct Walk {
    /// The input, with its margins.
    input: Grid,
    /// The output, at the pitch of the input.
    places: Grid,
    /// Pixels from a place to what lies under each tap.
    taps: Vec<usize>,
}

impl Walk {
    /// Of a convolution of stride one; `margin` are the zeros on each side of the input.
    fn new(input: [usize; 2], kernel: [usize; 2], margin: [usize; 2], output: [usize; 2]) -> Self {
        let pitch = input[1] + 2 * margin[1];
        let last = |rows: usize, columns: usize| (rows - 1) * pitch + columns;
        let places = last(output[0], output[1]).next_multiple_of(BLOCK_PIXELS);
        let taps: Vec<usize> = (0..kernel[0])
            .flat_map(|row| (0..kernel[1]).map(move |column| row * pitch + column))
            .collect();
        let first = margin[0] * pitch + margin[1];
        let reach = places + last(kernel[0], kernel[1]) - 1;
        let len = reach.max(first + last(input[0], input[1])).next_multiple_of(BLOCK_PIXELS);
        Self {
            input: Grid { rows: input[0], columns: input[1], pitch, first, len },
            places: Grid { rows: output[0], columns: output[1], pitch, first: 0, len: places },
            taps,
        }
    }

    /// Of a forward pass.
    fn forward(geometry: &ConvGeometry) -> Self {
        if geometry.is_pointwise() {
            // One row: no margin lies between two rows, where places would be lost.
            let line = [1, geometry.in_pixels()];
            return Self::new(line, [1, 1], [0, 0], line);
        }
        Self::new(geometry.input, geometry.kernel, geometry.padding, geometry.output)
    }

    /// Of the input's gradient: over that of the output, with the kernel turned round.
    fn backward(geometry: &ConvGeometry) -> Self {
        if geometry.is_pointwise() {
            return Self::forward(geometry);
        }
        let margin = [0, 1].map(|axis| geometry.kernel[axis] - 1 - geometry.padding[axis]);
        Self::new(geometry.output, geometry.kernel, margin, geometry.input)
    }
}

/// An image in bf16, in a grid.
fn filled(
    cpu: &Cpu,
    tiles: TilesArch,
    grid: Grid,
    values: &[f32],
    sums: Option<&mut [f32]>,
) -> Scratch {
    let panels = values.len() / (grid.rows * grid.columns * PANEL);
    let mut words = cpu.scratch.take(panels.div_ceil(2) * grid.len * TILE_WORDS);
    let sums = sums.unwrap_or_default();
    tiles.run(FillGrid { grid, values, words: &mut words, sums });
    words
}

/// Panels times a layer's weights.
pub(crate) struct Product {
    tiles: TilesArch,
    walk: Walk,
    /// Bytes from a place to each step's operand.
    offsets: Vec<usize>,
    packed: Scratch,
}

impl Product {
    /// The layer's forward pass, where it is to be in tiles.
    pub(crate) fn forward(cpu: &Cpu, geometry: &ConvGeometry, weight: &[f32]) -> Option<Self> {
        let taps = geometry.kernel[0] * geometry.kernel[1];
        let channels = [geometry.in_channels, geometry.out_channels];
        let per_output = geometry.in_channels * taps;
        let value = |out, channel, tap| weight[out * per_output + channel * taps + tap];
        Some(Self::new(cpu, tiles(cpu, geometry)?, Walk::forward(geometry), channels, value))
    }

    /// The same for the gradient of its input.
    pub(crate) fn backward(cpu: &Cpu, geometry: &ConvGeometry, weight: &[f32]) -> Option<Self> {
        let taps = geometry.kernel[0] * geometry.kernel[1];
        let channels = [geometry.out_channels, geometry.in_channels];
        let per_output = geometry.in_channels * taps;
        let value = |out, channel, tap| weight[channel * per_output + out * taps + taps - 1 - tap];
        Some(Self::new(cpu, tiles(cpu, geometry)?, Walk::backward(geometry), channels, value))
    }

    /// `channels` are those that go in and those that come out; `weight` takes one of those that come out, one that goes
    /// in, and a tap.
    fn new(
        cpu: &Cpu,
        tiles: TilesArch,
        walk: Walk,
        channels: [usize; 2],
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let line = TILE_WORDS * size_of::<f32>();
        let offsets: Vec<usize> = (0..channels[0].div_ceil(TILE_CHANNELS))
            .flat_map(|block| walk.taps.iter().map(move |tap| (block, tap)))
            .map(|(block, tap)| (block * walk.input.len + tap) * line)
            .collect();
        let packed = pack(cpu, channels, walk.taps.len(), weight);
        Self { tiles, walk, offsets, packed }
    }

    /// One image.
    pub(crate) fn image(
        &self,
        cpu: &Cpu,
        image: &[f32],
        bias: &[f32],
        end: End,
        output: &mut [f32],
    ) {
        let grid = filled(cpu, self.tiles, self.walk.input, image, None);
        self.grid(&grid, bias, end, output);
    }

    /// One image that lies in a grid.
    fn grid(&self, grid: &[f32], bias: &[f32], end: End, output: &mut [f32]) {
        let Self { walk, offsets, packed: weight, .. } = self;
        let places = walk.places;
        self.tiles.run(TileMultiply { grid, offsets, weight, bias, places, output, end });
    }
}

/// `[panels of what comes out][blocks of 32 that go in][taps][16 pairs of what goes in][16]` words.
fn pack(
    cpu: &Cpu,
    [inputs, outputs]: [usize; 2],
    taps: usize,
    weight: impl Fn(usize, usize, usize) -> f32 + Sync,
) -> Scratch {
    let per_panel = inputs.div_ceil(TILE_CHANNELS) * taps * TILE_LEN;
    let mut packed = cpu.scratch.take(panels_of(outputs) * per_panel);
    let value = |out: usize, channel: usize, tap: usize| {
        if out < outputs && channel < inputs { weight(out, channel, tap) } else { 0.0 }
    };
    let panels = packed.par_chunks_exact_mut(per_panel).enumerate();
    cpu.install(|| {
        panels.for_each(|(panel, packed)| {
            for (step, tile) in packed.chunks_exact_mut(TILE_LEN).enumerate() {
                let (block, tap) = (step / taps, step % taps);
                for (pair, words) in tile.chunks_exact_mut(PANEL).enumerate() {
                    let channel = block * TILE_CHANNELS + 2 * pair;
                    for (lane, entry) in words.iter_mut().enumerate() {
                        let out = panel * PANEL + lane;
                        *entry = word(value(out, channel, tap), value(out, channel + 1, tap));
                    }
                }
            }
        });
    });
    packed
}

/// The gradients of a layer's weight and bias.
pub(crate) struct Gradients {
    tiles: TilesArch,
    walk: Walk,
    in_panels: usize,
    out_panels: usize,
}

impl Gradients {
    /// Where the layer is to be in tiles.
    pub(crate) fn new(cpu: &Cpu, geometry: &ConvGeometry) -> Option<Self> {
        let walk = Walk::forward(geometry);
        let (in_panels, out_panels) = (geometry.in_panels(), geometry.out_panels());
        Some(Self { tiles: tiles(cpu, geometry)?, walk, in_panels, out_panels })
    }

    /// Adds one image's to the sums of [`Outer`](crate::arch::generic::Outer).
    pub(crate) fn add(
        &self,
        cpu: &Cpu,
        image: &[f32],
        gradient: &[f32],
        [weight_sums, bias_sums]: [&mut [f32]; 2],
    ) {
        let Self { tiles, walk, in_panels, out_panels } = self;
        let grid = filled(cpu, *tiles, walk.input, image, None);
        let mut input = cpu.scratch.take(grid.len());
        tiles.run(TurnGrid { grid: &grid, len: walk.input.len, words: &mut input });
        drop(grid);
        let grid = filled(cpu, *tiles, walk.places, gradient, Some(bias_sums));
        let mut gradient = cpu.scratch.take(grid.len());
        tiles.run(ZipGrid { grid: &grid, len: walk.places.len, words: &mut gradient });
        debug_assert!(gradient.len() == evened(*out_panels) * walk.places.len / 2 * PANEL);
        tiles.run(TileOuter {
            input: &input,
            input_len: walk.input.len,
            in_panels: *in_panels,
            taps: &walk.taps,
            gradient: &gradient,
            places: walk.places.len,
            out_panels: *out_panels,
            sums: weight_sums,
        });
    }
}
