//! Images on their way into grids.

use super::tiles;
use super::walk::{Part, Walk};
use crate::arch::TilesArch;
use crate::arch::generic::{FillGrid, FillPatches, Grid, Patches, TILE_CHANNELS, TILE_WORDS};
use crate::conv::ConvInput;
use crate::conv::lowering::Depth;
use crate::cpu::Cpu;
use crate::geometry::ConvGeometry;
use crate::panels::{PANEL, panels_of};
use crate::scratch::Scratch;

/// What was filled, and how it lies.
pub(crate) struct Filled {
    pub(super) grid: Grid,
    pub(super) words: Scratch,
}

/// Panels in bf16, in a grid. `sums` receives every pixel, unrounded.
pub(super) fn filled(
    cpu: &Cpu,
    tiles: TilesArch,
    grid: Grid,
    part: Part,
    (image, panels): (&[f32], usize),
    sums: Option<&mut [f32]>,
) -> Filled {
    let grid = part.of_grid(grid);
    let mut words = cpu.scratch.take(panels.div_ceil(2) * grid.len * TILE_WORDS);
    tiles.run(FillGrid {
        grid,
        values: &image[part.first * PANEL..],
        plane: image.len() / panels,
        panels,
        words: &mut words,
        sums: sums.unwrap_or_default(),
    });
    Filled { grid, words }
}

/// A layer's input on its way into grids.
pub(super) struct Input {
    pub(super) tiles: TilesArch,
    pub(super) walk: Walk,
    /// Where the input lies in planes: its patches are what is multiplied, as the channels of a 1x1 layer.
    patches: Option<Patches>,
    pub(super) depth: Depth,
    pub(super) parts: Vec<Part>,
}

impl Input {
    /// Where the layer is to be in tiles.
    pub(super) fn new(cpu: &Cpu, geometry: &ConvGeometry, input: ConvInput) -> Option<Self> {
        let tiles = tiles(cpu, geometry, input)?;
        let depth = |channels, kernel| Depth { channels, lanes: PANEL, kernel };
        let ConvInput::Planes(_) = input else {
            let depth = depth(geometry.in_channels, geometry.kernel);
            let (walk, parts) = (Walk::forward(geometry), Part::of(geometry));
            return Some(Self { tiles, walk, patches: None, depth, parts });
        };
        let patches = Patches {
            channels: geometry.in_channels,
            size: geometry.input,
            kernel: geometry.kernel,
            stride: geometry.stride,
            padding: geometry.padding,
            output: geometry.output,
        };
        let walk = Walk::line(geometry.out_pixels());
        let depth = depth(patches.depth(), [1, 1]);
        Some(Self { tiles, walk, patches: Some(patches), depth, parts: vec![Part::ALL] })
    }

    /// Part of an image in a grid.
    pub(super) fn fill(&self, cpu: &Cpu, image: &[f32], part: Part) -> Scratch {
        let Some(patches) = self.patches else {
            let image = (image, panels_of(self.depth.channels));
            return filled(cpu, self.tiles, self.walk.input, part, image, None).words;
        };
        let blocks = patches.depth().div_ceil(TILE_CHANNELS);
        let mut words = cpu.scratch.take(blocks * self.walk.input.len * TILE_WORDS);
        self.tiles.run(FillPatches {
            patches,
            planes: image,
            canvas: &mut cpu.scratch.take(patches.canvas_words()),
            block: &mut cpu.scratch.take(patches.block_words()),
            words: &mut words,
        });
        words
    }
}
