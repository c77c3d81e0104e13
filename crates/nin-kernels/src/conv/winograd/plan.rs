//! The sizes of chunks, and the layouts between the stages.

use std::marker::PhantomData;

use crate::arch::generic::winograd::{InputTransform, OUT, Scheme, Tiles};
use crate::context::Context;
use crate::conv::lowering::Canvas;
use crate::geometry::ConvGeometry;
use crate::panels::PANEL;

/// Tiles in a chunk of the backward pass. More tiles read the weights of each point less often; fewer keep the data between
/// stages in the cache. Of 50, 100, 150, 200 and 400, on a Zen 3 with 512 KiB of L2, 100 was the fastest by 4 to 15 %. Another
/// number would change the bits of weight gradients.
pub(super) const BACKWARD_TILES: usize = 100;

/// Tiles in a chunk of the forward pass: faster than 100 on a Zen 5, in most networks (decision 63).
pub(super) const FORWARD_TILES: usize = 64;

/// Tiles that a chunk has at least where each thread computes chunks of its own. With fewer, the weights are read too often.
const LEAST_TILES: usize = FORWARD_TILES / 2;

/// The largest number of transformed values of a chunk, and of transformed weights, for which each thread computes chunks of
/// its own: 4 MiB, about a core's share of L3.
const LARGEST_CHUNK: usize = (4 << 20) / size_of::<f32>();

/// The sizes that follow from the geometry.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) context: &'a Context,
    pub(super) geometry: &'a ConvGeometry,
    /// Tiles of an image along each axis.
    pub(super) tiles: Tiles,
    /// Tiles of an image.
    pub(super) per_image: usize,
    /// Images in a chunk.
    pub(super) chunk: usize,
    /// Points of the transformed domain.
    pub(super) points: usize,
    pub(super) kernel: usize,
}

/// The layout of a transformed chunk that is written panel by panel: `[panels][points][tiles][16]`.
#[derive(Clone, Copy)]
pub(super) struct ByPanel {
    pub(super) panels: usize,
    pub(super) point: usize,
    pub(super) panel: usize,
}

/// The layout of a transformed chunk that is written point by point: `[points][panels][tiles][16]`.
#[derive(Clone, Copy)]
pub(super) struct ByPoint {
    pub(super) panel: usize,
    pub(super) point: usize,
}

impl<'a> Plan<'a> {
    /// `chunk_tiles` are about those in a chunk.
    pub(super) fn new<S: Scheme>(
        context: &'a Context,
        geometry: &'a ConvGeometry,
        chunk_tiles: usize,
    ) -> Self {
        let tiles = geometry.output.map(|size| size.div_ceil(OUT));
        let per_image = tiles[0] * tiles[1];
        let chunks = geometry.batch.div_ceil((chunk_tiles / per_image).max(1));
        Self {
            context,
            geometry,
            tiles,
            per_image,
            chunk: geometry.batch.div_ceil(chunks),
            points: S::TILE * S::TILE,
            kernel: S::KERNEL,
        }
    }

    /// Returns the number of chunks.
    pub(super) fn chunks(&self) -> usize {
        self.geometry.batch.div_ceil(self.chunk)
    }

    /// Returns the plan with the largest chunks that suit a thread and that all threads can take in about equal numbers, if
    /// those have enough tiles.
    pub(super) fn for_threads(self) -> Option<Self> {
        let plans = (1..=self.chunk).rev().map(|chunk| Self { chunk, ..self });
        plans
            .take_while(|plan| plan.chunk * plan.per_image >= LEAST_TILES)
            .find(|plan| plan.is_even() && plan.suits_a_thread())
    }

    /// Returns whether threads can take chunks in about equal numbers.
    pub(super) fn is_even(&self) -> bool {
        let threads = self.context.threads();
        self.chunks().is_multiple_of(threads) || self.chunks() >= 4 * threads
    }

    /// Returns whether there are several threads, and one should compute a chunk alone: what passes between the stages then
    /// stays in its cache.
    pub(super) fn suits_a_thread(&self) -> bool {
        let [inputs, outputs] =
            [self.geometry.in_panels(), self.geometry.out_panels()].map(|panels| panels * PANEL);
        let chunk = self.points * self.chunk * self.per_image * (inputs + outputs);
        let weights = self.points * inputs * outputs;
        !self.context.is_alone() && chunk.max(weights) <= LARGEST_CHUNK
    }

    /// Returns the plan in another context.
    pub(super) fn within<'b>(self, context: &'b Context) -> Plan<'b>
    where
        'a: 'b,
    {
        Plan { context, ..self }
    }

    /// Returns the size of a plane: an odd number of cache lines, because strides of a power of two map to the same cache
    /// sets.
    fn plane(&self) -> usize {
        ((self.chunk * self.per_image) | 1) * PANEL
    }

    pub(super) fn by_panel(&self, panels: usize) -> ByPanel {
        ByPanel { panels, point: self.plane(), panel: self.points * self.plane() }
    }

    pub(super) fn by_point(&self, panels: usize) -> ByPoint {
        ByPoint { panel: self.plane(), point: ((panels * self.plane() / PANEL) | 1) * PANEL }
    }

    /// Returns the canvas for the transform of one panel of an image, and its size.
    pub(super) fn canvas(&self) -> (Canvas, [usize; 2]) {
        let size = self.tiles.map(|tiles| tiles * OUT + self.kernel - 1);
        (Canvas::around(self.geometry.input, size, self.geometry.padding), size)
    }

    /// Transforms the images of a chunk.
    pub(super) fn transform_input<S: Scheme>(
        &self,
        images: &[f32],
        layout: ByPanel,
        transformed: &mut [f32],
    ) {
        self.context.each(
            transformed.chunks_mut(layout.panel).enumerate(),
            |(panel, transformed)| {
                self.transform_panel::<S>(panel, images, layout, transformed);
            },
        );
    }

    /// Transforms one panel of the images of a chunk.
    pub(super) fn transform_panel<S: Scheme>(
        &self,
        panel: usize,
        images: &[f32],
        layout: ByPanel,
        transformed: &mut [f32],
    ) {
        let (canvas, _) = self.canvas();
        let plane = self.geometry.in_pixels() * PANEL;
        let mut copy = self.context.scratch.take_zeroed(canvas.len());
        for (index, image) in images.chunks_exact(self.geometry.in_image()).enumerate() {
            canvas.place(&image[panel * plane..(panel + 1) * plane], &mut copy);
            self.context.run(InputTransform {
                scheme: PhantomData::<S>,
                canvas: &copy,
                tiles: self.tiles,
                transformed: &mut transformed[index * self.per_image * PANEL..],
                stride: layout.point,
            });
        }
    }
}

impl ByPanel {
    /// Returns the start of each panel of a point.
    pub(super) fn segments(self) -> Vec<usize> {
        (0..self.panels).map(|panel| panel * self.panel).collect()
    }
}
