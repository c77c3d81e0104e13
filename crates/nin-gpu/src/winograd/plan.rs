//! The sizes that follow from the geometry.

use super::scheme::{OUT, Scheme};
use crate::tile::{Pass, TILES, Tile, tile_of_points};
use crate::{ConvGeometry, Element, Elements};

/// The largest buffer of values at the points: 64 MiB.
const LARGEST: usize = 1 << 24;

/// Enough workgroups for a weight gradient. Parts of its sums cost memory, because each has all points.
const WORKGROUPS_OF_PARTS: usize = 256;

/// The shortest sum that a workgroup of the weight gradient takes.
const SHORTEST_SUM: usize = 128;

/// Images of some channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planes {
    pub(super) channels: usize,
    /// `[height, width]`
    pub(super) size: [usize; 2],
    pub(super) element: Element,
}

/// A pass of a convolution by Winograd's algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Winograd {
    pub(super) geometry: ConvGeometry,
    pub(super) pass: Pass,
    pub(super) scheme: Scheme,
    pub(super) tile: Tile,
    pub(super) elements: Elements,
}

impl Winograd {
    /// Returns the pass with the tile of the table; `None` for windows without a scheme, and where a buffer would be larger than
    /// [`LARGEST`] for a single image.
    pub(crate) fn new(geometry: ConvGeometry, pass: Pass) -> Option<Self> {
        let scheme = Scheme::of(geometry.window.kernel)?;
        let fits = geometry.window.stride == 1 && geometry.window.padding < scheme.kernel();
        let elements = Elements::default();
        let winograd = Self { geometry, pass, scheme, tile: TILES[0], elements };
        let weight = geometry.inputs.saturating_mul(geometry.outputs);
        let weight = weight.saturating_mul(scheme.points());
        if !fits || weight > LARGEST || winograd.image_len() > LARGEST {
            return None;
        }
        let [rows, columns, _] = winograd.product(winograd.chunk());
        Some(winograd.with_tile(tile_of_points([rows, columns], scheme.points())))
    }

    /// Returns the pass with another tile.
    pub(crate) fn with_tile(self, tile: Tile) -> Self {
        Self { tile, ..self }
    }

    /// Returns the pass with other types.
    pub(crate) fn with_elements(self, elements: Elements) -> Self {
        Self { elements, ..self }
    }

    pub(crate) fn tile(&self) -> Tile {
        self.tile
    }

    /// Returns the images that are transformed to points.
    pub(super) fn source(&self) -> Planes {
        match self.pass {
            Pass::Forward | Pass::WeightGradient => self.input(),
            Pass::InputGradient => self.output(),
        }
    }

    /// Returns the images that are divided into tiles without overlap: those that are computed, or whose gradient is given.
    pub(super) fn target(&self) -> Planes {
        match self.pass {
            Pass::Forward | Pass::WeightGradient => self.output(),
            Pass::InputGradient => self.input(),
        }
    }

    fn input(&self) -> Planes {
        let ConvGeometry { inputs, size, .. } = self.geometry;
        Planes { channels: inputs, size, element: self.elements.input }
    }

    fn output(&self) -> Planes {
        let ConvGeometry { outputs, output_size, .. } = self.geometry;
        Planes { channels: outputs, size: output_size, element: self.elements.output }
    }

    /// Returns how many pixels outside of the source the first tile begins.
    pub(super) fn padding(&self) -> usize {
        let padding = self.geometry.window.padding;
        match self.pass {
            Pass::Forward | Pass::WeightGradient => padding,
            Pass::InputGradient => self.scheme.kernel() - 1 - padding,
        }
    }

    /// Returns the tiles of an image along each axis.
    pub(super) fn tiles(&self) -> [usize; 2] {
        self.target().size.map(|side| side.div_ceil(OUT))
    }

    /// Returns the number of values at the points of an image, in the larger of two buffers.
    fn image_len(&self) -> usize {
        let [down, across] = self.tiles();
        let channels = self.source().channels.max(self.target().channels);
        [down, across, channels].into_iter().fold(self.scheme.points(), usize::saturating_mul)
    }

    /// Returns the number of images in a chunk; the last chunk may have fewer.
    pub(super) fn chunk(&self) -> usize {
        let most = (LARGEST / self.image_len()).max(1);
        let batch = self.geometry.batch;
        batch.div_ceil(batch.div_ceil(most))
    }

    /// Returns the first image and the number of images of each chunk.
    pub(super) fn chunks(&self) -> impl Iterator<Item = (usize, usize)> {
        let (batch, chunk) = (self.geometry.batch, self.chunk());
        (0..batch).step_by(chunk).map(move |first| (first, chunk.min(batch - first)))
    }

    /// Returns the number of tiles of some images.
    pub(super) fn tiles_of(&self, images: usize) -> usize {
        let [down, across] = self.tiles();
        images * down * across
    }

    /// Returns rows, columns and depth of the product of some images at each point.
    pub(super) fn product(&self, images: usize) -> [usize; 3] {
        let (source, target, tiles) =
            (self.source().channels, self.target().channels, self.tiles_of(images));
        match self.pass {
            Pass::Forward | Pass::InputGradient => [target, tiles, source],
            Pass::WeightGradient => [target, source, tiles],
        }
    }

    /// Returns the workgroups of a product of one part: columns and rows.
    pub(super) fn workgroups(&self, images: usize) -> [usize; 2] {
        let [rows, columns, _] = self.product(images);
        [columns.div_ceil(self.tile.columns), rows.div_ceil(self.tile.rows)]
    }

    /// Returns the length of a part of the weight gradient's sums over a chunk.
    pub(super) fn part_depth(&self) -> usize {
        let [x, y] = self.workgroups(self.chunk());
        let [rows, columns, depth] = self.product(self.chunk());
        let points = self.scheme.points();
        let parts = (WORKGROUPS_OF_PARTS / (x * y * points))
            .min(depth / SHORTEST_SUM)
            .min(LARGEST / (points * rows * (columns + 1)))
            .max(1);
        depth.div_ceil(parts).next_multiple_of(self.tile.depth)
    }

    /// Returns into how many parts the sums are divided.
    pub(super) fn parts(&self) -> usize {
        match self.pass {
            Pass::Forward | Pass::InputGradient => 1,
            Pass::WeightGradient => self.tiles_of(self.chunk()).div_ceil(self.part_depth()),
        }
    }

    /// Returns the number of values at the points: of the weights, of the source of some images, and of their target.
    pub(super) fn lens(&self, images: usize) -> [usize; 3] {
        let (points, tiles) = (self.scheme.points(), self.tiles_of(images));
        let (source, target) = (self.source().channels, self.target().channels);
        [points * source * target, points * source * tiles, points * target * tiles]
    }

    /// Returns the number of partial sums of weight and bias.
    pub(super) fn partial_len(&self) -> usize {
        let [weight, _, _] = self.lens(1);
        self.parts() * (weight + self.geometry.outputs)
    }
}
