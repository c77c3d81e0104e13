//! Chunks of images, and what passes between the stages.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::weights::Weights;
use crate::arch::generic::winograd::{InputTransform, OUT, Scheme, Tiles};
use crate::arch::generic::{End, Multiply};
use crate::conv::lowering::{Canvas, pixel_block};
use crate::cpu::Cpu;
use crate::geometry::ConvGeometry;
use crate::panels::PANEL;

/// Tiles of a chunk: enough to walk each point's weights seldom, few enough that what passes between the stages stays
/// near. Of 50, 100, 150, 200 and 400, on a Zen 3 with 512 KiB of second-level cache, 100 was best by 4 to 15 %.
const CHUNK_TILES: usize = 100;

/// Sizes that follow from the geometry.
pub(super) struct Plan<'a> {
    pub(super) cpu: &'a Cpu,
    pub(super) geometry: &'a ConvGeometry,
    /// Along each axis, of one image.
    pub(super) tiles: Tiles,
    /// Of one image.
    pub(super) per_image: usize,
    /// Images in a chunk.
    pub(super) chunk: usize,
    /// Points of the transformed domain.
    pub(super) points: usize,
    pub(super) kernel: usize,
}

/// A transformed chunk that is written panel by panel: `[panels][points][tiles][16]`.
#[derive(Clone, Copy)]
pub(super) struct ByPanel {
    pub(super) panels: usize,
    pub(super) point: usize,
    pub(super) panel: usize,
}

/// A transformed chunk that is written point by point: `[points][panels][tiles][16]`.
#[derive(Clone, Copy)]
pub(super) struct ByPoint {
    pub(super) panel: usize,
    pub(super) point: usize,
}

impl<'a> Plan<'a> {
    pub(super) fn new<S: Scheme>(cpu: &'a Cpu, geometry: &'a ConvGeometry) -> Self {
        let tiles = geometry.output.map(|size| size.div_ceil(OUT));
        let per_image = tiles[0] * tiles[1];
        let chunks = geometry.batch.div_ceil((CHUNK_TILES / per_image).max(1));
        Self {
            cpu,
            geometry,
            tiles,
            per_image,
            chunk: geometry.batch.div_ceil(chunks),
            points: S::TILE * S::TILE,
            kernel: S::KERNEL,
        }
    }

    /// An odd number of cache lines for each plane: strides of a power of two would fight for the same sets.
    fn plane(&self) -> usize {
        ((self.chunk * self.per_image) | 1) * PANEL
    }

    pub(super) fn by_panel(&self, panels: usize) -> ByPanel {
        ByPanel { panels, point: self.plane(), panel: self.points * self.plane() }
    }

    pub(super) fn by_point(&self, panels: usize) -> ByPoint {
        ByPoint { panel: self.plane(), point: ((panels * self.plane() / PANEL) | 1) * PANEL }
    }

    /// Panels that one image's panel is transformed on.
    pub(super) fn canvas(&self) -> (Canvas, [usize; 2]) {
        let size = self.tiles.map(|tiles| tiles * OUT + self.kernel - 1);
        (Canvas::around(self.geometry.input, size, self.geometry.padding), size)
    }

    /// A chunk's images into the transformed domain.
    pub(super) fn transform_input<S: Scheme>(
        &self,
        images: &[f32],
        layout: ByPanel,
        transformed: &mut [f32],
    ) {
        let (canvas, _) = self.canvas();
        let plane = self.geometry.in_pixels() * PANEL;
        transformed.par_chunks_mut(layout.panel).enumerate().for_each(|(panel, transformed)| {
            let mut copy = self.cpu.scratch.take_zeroed(canvas.len());
            for (index, image) in images.chunks_exact(self.geometry.in_image()).enumerate() {
                canvas.place(&image[panel * plane..(panel + 1) * plane], &mut copy);
                self.cpu.run(InputTransform {
                    scheme: PhantomData::<S>,
                    canvas: &copy,
                    tiles: self.tiles,
                    transformed: &mut transformed[index * self.per_image * PANEL..],
                    stride: layout.point,
                });
            }
        });
    }

    /// Every point's products of so many images, `panels` of them.
    pub(super) fn multiply(
        &self,
        images: usize,
        input: (&[f32], ByPanel, &[usize]),
        weights: &Weights,
        (products, layout, panels): (&mut [f32], ByPoint, usize),
    ) {
        products.par_chunks_mut(layout.point).enumerate().for_each(|(point, products)| {
            let output = (products, layout, panels);
            self.cpu.run(self.multiply_point(point, images, input, weights, output));
        });
    }

    fn multiply_point<'b>(
        &self,
        point: usize,
        images: usize,
        input: (&'b [f32], ByPanel, &'b [usize]),
        weight: &'b Weights,
        output: (&'b mut [f32], ByPoint, usize),
    ) -> Multiply<'b> {
        let (output, out_layout, panels) = output;
        let (input, layout, segments) = input;
        Multiply {
            input: &input[point * layout.point..],
            segments,
            segment_len: PANEL,
            input_row: 0,
            input_pixel: PANEL,
            height: 1,
            width: images * self.per_image,
            pixel_block: pixel_block(layout.panels * PANEL),
            weight: &weight.packed,
            weight_panel: weight.panel,
            weight_entry: point * layout.panels * PANEL,
            bias: &weight.no_bias,
            output,
            output_panel: out_layout.panel,
            panels,
            end: End::Store,
        }
    }
}

impl ByPanel {
    /// Where each panel of a point starts.
    pub(super) fn segments(self) -> Vec<usize> {
        (0..self.panels).map(|panel| panel * self.panel).collect()
    }
}
