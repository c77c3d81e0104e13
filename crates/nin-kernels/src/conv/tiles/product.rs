//! Images times weights: the forward pass, and the input's gradient.

use rayon::prelude::*;

use super::input::{Filled, Input, filled};
use super::tiles;
use super::walk::{Part, Walk};
use crate::arch::TilesArch;
use crate::arch::generic::{End, Grid, TILE_CHANNELS, TILE_LEN, TILE_WORDS, TileMultiply};
use crate::conv::ConvInput;
use crate::conv::lowering::Depth;
use crate::cpu::Cpu;
use crate::geometry::ConvGeometry;
use crate::panels::{PANEL, panels_of};
use crate::precision::word;
use crate::scratch::Scratch;

/// A layer's forward pass.
pub(crate) struct Forward {
    input: Input,
    product: Product,
}

impl Forward {
    /// Where the layer is to be in tiles.
    pub(crate) fn new(
        cpu: &Cpu,
        geometry: &ConvGeometry,
        input: ConvInput,
        weight: &[f32],
    ) -> Option<Self> {
        let input = Input::new(cpu, geometry, input)?;
        let Depth { channels, kernel, .. } = input.depth;
        let taps = kernel[0] * kernel[1];
        let value = |out, channel, tap| weight[(out * channels + channel) * taps + tap];
        let channels = [channels, geometry.out_channels];
        let product = Product::new(cpu, input.tiles, &input.walk, channels, value);
        Some(Self { input, product })
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
        for &part in &self.input.parts {
            let grid = self.input.fill(cpu, image, part);
            self.product.run(&grid, part, bias, end, output);
        }
    }
}

/// A layer's gradient of its input.
pub(crate) struct Backward {
    walk: Walk,
    out_panels: usize,
    product: Product,
}

impl Backward {
    /// Where the layer is to be in tiles; its input lies in panels.
    pub(crate) fn new(cpu: &Cpu, geometry: &ConvGeometry, weight: &[f32]) -> Option<Self> {
        let tiles = tiles(cpu, geometry, ConvInput::Panels(&[]))?;
        let taps = geometry.kernel[0] * geometry.kernel[1];
        let channels = [geometry.out_channels, geometry.in_channels];
        let value = |out, channel, tap| {
            weight[(channel * geometry.in_channels + out) * taps + taps - 1 - tap]
        };
        let walk = Walk::backward(geometry);
        let product = Product::new(cpu, tiles, &walk, channels, value);
        Some(Self { walk, out_panels: geometry.out_panels(), product })
    }

    /// Part of one image. `before` is the gradient as [`super::Gradients::add`] has left it.
    pub(crate) fn part(
        &self,
        cpu: &Cpu,
        part: Part,
        (gradient, before): (&[f32], &Filled),
        bias: &[f32],
        end: End,
        grad_input: &mut [f32],
    ) {
        let grid = self.walk.input;
        if before.grid == part.of_grid(grid) {
            return self.product.run(&before.words, part, bias, end, grad_input);
        }
        let gradient = (gradient, self.out_panels);
        let filled = filled(cpu, self.product.tiles, grid, part, gradient, None);
        self.product.run(&filled.words, part, bias, end, grad_input);
    }
}

/// A grid times a layer's weights.
struct Product {
    tiles: TilesArch,
    places: Grid,
    /// Bytes from a place to each step's operand.
    offsets: Vec<usize>,
    packed: Scratch,
    panels: usize,
}

impl Product {
    /// `channels` are those that go in and those that come out; `weight` takes one of those that come out, one that goes
    /// in, and a tap.
    fn new(
        cpu: &Cpu,
        tiles: TilesArch,
        walk: &Walk,
        channels: [usize; 2],
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let line = TILE_WORDS * size_of::<f32>();
        let offsets: Vec<usize> = (0..channels[0].div_ceil(TILE_CHANNELS))
            .flat_map(|block| walk.taps.iter().map(move |tap| (block, tap)))
            .map(|(block, tap)| (block * walk.input.len + tap) * line)
            .collect();
        let packed = pack(cpu, channels, walk.taps.len(), weight);
        Self { tiles, places: walk.places, offsets, packed, panels: panels_of(channels[1]) }
    }

    /// Part of one image; `output` is all of it, and so is what `end` looks at.
    fn run(&self, grid: &[f32], part: Part, bias: &[f32], end: End, output: &mut [f32]) {
        let at = part.first * PANEL;
        self.tiles.run(TileMultiply {
            grid,
            offsets: &self.offsets,
            weight: &self.packed,
            bias,
            places: part.of_grid(self.places),
            plane: output.len() / self.panels,
            output: &mut output[at..],
            panels: self.panels,
            end: if let End::Gate(gate) = end { End::Gate(&gate[at..]) } else { end },
        });
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
