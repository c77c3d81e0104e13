//! The conversion of images into grids.

use super::walk::{Part, Walk};
use crate::arch::generic::{FillGrid, FillPatches, Grid, Patches};
use crate::arch::{TILE_CHANNELS, TILE_WORDS, TilesArch};
use crate::context::Context;
use crate::conv::lowering::Depth;
use crate::conv::operands::Layout;
use crate::geometry::ConvGeometry;
use crate::panels::{PANEL, panels_of};
use crate::scratch::Scratch;

/// A filled grid.
pub(crate) struct Filled {
    pub(super) grid: Grid,
    pub(super) words: Scratch,
}

/// Fills a grid with panels in bf16. `sums` receives every pixel, unrounded.
pub(super) fn fill_grid(
    context: &Context,
    arch: TilesArch,
    grid: Grid,
    part: Part,
    (image, panels): (&[f32], usize),
    sums: Option<&mut [f32]>,
) -> Filled {
    let grid = part.of_grid(grid);
    let mut words = context.scratch.take(panels.div_ceil(2) * grid.len * TILE_WORDS);
    arch.run(FillGrid {
        grid,
        values: &image[part.first * PANEL..],
        plane: image.len() / panels,
        panels,
        words: &mut words,
        sums: sums.unwrap_or_default(),
    });
    Filled { grid, words }
}

/// How the images that a layer multiplies become grids.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) arch: TilesArch,
    pub(super) walk: Walk,
    /// Set for an input in planes: its patches are multiplied, as the channels of a 1x1 layer.
    patches: Option<Patches>,
    pub(super) depth: Depth,
    pub(super) parts: Vec<Part>,
}

impl Input {
    /// Describes the input of a forward pass.
    pub(super) fn new(arch: TilesArch, geometry: &ConvGeometry, layout: Layout) -> Self {
        if layout == Layout::Panels {
            let depth = depth(geometry.in_channels, geometry.kernel);
            let (walk, parts) = (Walk::forward(geometry), Part::of(geometry));
            return Self { arch, walk, patches: None, depth, parts };
        }
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
        Self { arch, walk, patches: Some(patches), depth, parts: vec![Part::ALL] }
    }

    /// Describes the output gradient, from which the input gradient is computed.
    pub(super) fn of_gradient(arch: TilesArch, geometry: &ConvGeometry) -> Self {
        let depth = depth(geometry.out_channels, geometry.kernel);
        let (walk, parts) = (Walk::backward(geometry), Part::of(geometry));
        Self { arch, walk, patches: None, depth, parts }
    }

    /// Fills a grid with part of an image.
    pub(super) fn fill(&self, context: &Context, image: &[f32], part: Part) -> Scratch {
        let Some(patches) = self.patches else {
            let image = (image, panels_of(self.depth.channels));
            return fill_grid(context, self.arch, self.walk.input, part, image, None).words;
        };
        let blocks = patches.depth().div_ceil(TILE_CHANNELS);
        let mut words = context.scratch.take(blocks * self.walk.input.len * TILE_WORDS);
        self.arch.run(FillPatches {
            patches,
            planes: image,
            canvas: &mut context.scratch.take(patches.canvas_words()),
            block: &mut context.scratch.take(patches.block_words()),
            words: &mut words,
        });
        words
    }
}

fn depth(channels: usize, kernel: [usize; 2]) -> Depth {
    Depth { channels, lanes: PANEL, kernel }
}
