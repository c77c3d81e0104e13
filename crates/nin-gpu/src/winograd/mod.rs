//! Winograd's algorithm, F(4x4, 3x3) and F(4x4, 5x5), for layers with stride 1.
//!
//! Tiles of the input and the kernels are transformed to points, where the convolution is a product of matrices for
//! each point; another transform goes back. An output of a 5x5 kernel takes 4 multiplications instead of 25, one of a 3x3
//! kernel 2.25 instead of 9, and the values at the points pass through memory.
//!
//! The gradient of the input is a convolution of the gradient with the kernels rotated by half a turn, by the same kernels.
//! The gradient of the weight is summed at the points and transformed at the end.
//!
//! Images pass in chunks, so that no buffer is larger than [`LARGEST`]. What is computed depends on the sizes alone.

mod image;
mod line;
mod product;
mod scheme;
mod weight;

use cubecl::prelude::*;
use cubecl::server::Handle;

use self::product::Form;
use self::scheme::{Matrix, OUT, Scheme};
use crate::buffer::{Lines, allocate, argument, check_lens, workgroups};
use crate::cost::{Cost, bytes};
use crate::tile::{Pass, TILES, Tile, tile_of_points};
use crate::{ConvGeometry, Error, ParameterGradients};

/// The largest buffer of values at the points: 64 MiB.
const LARGEST: usize = 1 << 24;

/// Enough workgroups for a weight gradient. Parts of its sums cost memory, because each has all points.
const WORKGROUPS_OF_PARTS: usize = 256;

/// The shortest sum that a workgroup of the weight gradient takes.
const SHORTEST_SUM: usize = 128;

/// Images of some channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Planes {
    channels: usize,
    /// `[height, width]`
    size: [usize; 2],
}

/// A pass of a convolution by Winograd's algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Winograd {
    geometry: ConvGeometry,
    pass: Pass,
    scheme: Scheme,
    tile: Tile,
}

impl Winograd {
    /// Returns the pass with the tile of the table; `None` for windows without a scheme, and where a buffer would be larger than
    /// [`LARGEST`] for a single image.
    pub(crate) fn new(geometry: ConvGeometry, pass: Pass) -> Option<Self> {
        let scheme = Scheme::of(geometry.window.kernel)?;
        let fits = geometry.window.stride == 1 && geometry.window.padding < scheme.kernel();
        let winograd = Self { geometry, pass, scheme, tile: TILES[0] };
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

    pub(crate) fn tile(&self) -> Tile {
        self.tile
    }

    /// Returns the images that are transformed to points.
    fn source(&self) -> Planes {
        let ConvGeometry { inputs, outputs, size, output_size, .. } = self.geometry;
        match self.pass {
            Pass::Forward | Pass::WeightGradient => Planes { channels: inputs, size },
            Pass::InputGradient => Planes { channels: outputs, size: output_size },
        }
    }

    /// Returns the images that are divided into tiles without overlap: those that are computed, or whose gradient is given.
    fn target(&self) -> Planes {
        let ConvGeometry { inputs, outputs, size, output_size, .. } = self.geometry;
        match self.pass {
            Pass::Forward | Pass::WeightGradient => Planes { channels: outputs, size: output_size },
            Pass::InputGradient => Planes { channels: inputs, size },
        }
    }

    /// Returns how many pixels outside of the source the first tile begins.
    fn padding(&self) -> usize {
        let padding = self.geometry.window.padding;
        match self.pass {
            Pass::Forward | Pass::WeightGradient => padding,
            Pass::InputGradient => self.scheme.kernel() - 1 - padding,
        }
    }

    /// Returns the tiles of an image along each axis.
    fn tiles(&self) -> [usize; 2] {
        self.target().size.map(|side| side.div_ceil(OUT))
    }

    /// Returns the number of values at the points of an image, in the larger of two buffers.
    fn image_len(&self) -> usize {
        let [down, across] = self.tiles();
        let channels = self.source().channels.max(self.target().channels);
        [down, across, channels].into_iter().fold(self.scheme.points(), usize::saturating_mul)
    }

    /// Returns the number of images in a chunk; the last chunk may have fewer.
    fn chunk(&self) -> usize {
        let most = (LARGEST / self.image_len()).max(1);
        let batch = self.geometry.batch;
        batch.div_ceil(batch.div_ceil(most))
    }

    /// Returns the first image and the number of images of each chunk.
    fn chunks(&self) -> impl Iterator<Item = (usize, usize)> {
        let (batch, chunk) = (self.geometry.batch, self.chunk());
        (0..batch).step_by(chunk).map(move |first| (first, chunk.min(batch - first)))
    }

    /// Returns the number of tiles of some images.
    fn tiles_of(&self, images: usize) -> usize {
        let [down, across] = self.tiles();
        images * down * across
    }

    /// Returns rows, columns and depth of the product of some images at each point.
    fn product(&self, images: usize) -> [usize; 3] {
        let (source, target, tiles) =
            (self.source().channels, self.target().channels, self.tiles_of(images));
        match self.pass {
            Pass::Forward | Pass::InputGradient => [target, tiles, source],
            Pass::WeightGradient => [target, source, tiles],
        }
    }

    /// Returns the workgroups of a product of one part: columns and rows.
    fn workgroups(&self, images: usize) -> [usize; 2] {
        let [rows, columns, _] = self.product(images);
        [columns.div_ceil(self.tile.columns), rows.div_ceil(self.tile.rows)]
    }

    /// Returns the length of a part of the weight gradient's sums over a chunk.
    fn part_depth(&self) -> usize {
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
    fn parts(&self) -> usize {
        match self.pass {
            Pass::Forward | Pass::InputGradient => 1,
            Pass::WeightGradient => self.tiles_of(self.chunk()).div_ceil(self.part_depth()),
        }
    }

    /// Returns the number of values at the points: of the weights, of the source of some images, and of their target.
    fn lens(&self, images: usize) -> [usize; 3] {
        let (points, tiles) = (self.scheme.points(), self.tiles_of(images));
        let (source, target) = (self.source().channels, self.target().channels);
        [points * source * target, points * source * tiles, points * target * tiles]
    }

    /// Returns the number of partial sums of weight and bias.
    fn partial_len(&self) -> usize {
        let [weight, _, _] = self.lens(1);
        self.parts() * (weight + self.geometry.outputs)
    }

    /// Checks that a device can bind every buffer and run every kernel.
    pub(crate) fn check<R: Runtime>(&self, client: &ComputeClient<R>) -> Result<(), Error> {
        let [weight, source, target] = self.lens(self.chunk());
        self.count(self.chunk())?;
        check_lens(
            client,
            &[
                ("the weights at the points", weight),
                ("the partial sums", self.partial_len()),
                ("the input at the points", source),
                ("the output at the points", target),
            ],
        )
    }

    /// Returns the workgroups of the product of a chunk.
    fn count(&self, images: usize) -> Result<CubeCount, Error> {
        let [x, y] = self.workgroups(images);
        workgroups([x, y, self.parts() * self.scheme.points()])
    }

    /// Computes convolution + bias + ReLU into `output`.
    pub(crate) fn forward<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        [input, weight, bias]: [&Handle; 3],
        output: &Handle,
    ) -> Result<(), Error> {
        self.convolve(client, [input, weight, output], Some(bias), None)
    }

    /// Computes the gradient of the input into `output`, masked by a gate.
    pub(crate) fn input_gradient<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        [gradient, weight]: [&Handle; 2],
        gate: Option<&Handle>,
        output: &Handle,
    ) -> Result<(), Error> {
        self.convolve(client, [gradient, weight, output], None, gate)
    }

    fn convolve<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        [images, weight, output]: [&Handle; 3],
        bias: Option<&Handle>,
        gate: Option<&Handle>,
    ) -> Result<(), Error> {
        let [weight_len, source_len, target_len] = self.lens(self.chunk());
        let weight_at_points = allocate(client, "the weights at the points", weight_len)?;
        let source_at_points = allocate(client, "the input at the points", source_len)?;
        let target_at_points = allocate(client, "the output at the points", target_len)?;
        let (source, target) = (self.source(), self.target());
        let [height, width] = target.size;
        let [down, across] = self.tiles();
        let output_len = self.geometry.batch * target.channels * height * width;
        self.transform_weight(client, weight, &weight_at_points)?;
        for (first, count) in self.chunks() {
            let tiles = self.tiles_of(count);
            self.transform_source(client, images, &source_at_points, (first, count))?;
            product::multiply_points::launch::<R>(
                client,
                self.count(count)?,
                CubeDim::new_1d(self.tile.threads() as u32),
                argument(&weight_at_points, weight_len),
                argument(&source_at_points, source_len),
                argument(&target_at_points, target_len),
                target.channels,
                tiles,
                source.channels,
                source.channels,
                0,
                self.scheme.points(),
                Form::Images,
                self.tile,
            );
            image::transform_output::launch::<R>(
                client,
                Lines::of(target.channels * tiles)?.count(),
                Lines::dim(),
                argument(&target_at_points, target_len),
                bias.map(|bias| argument(bias, target.channels)).into(),
                gate.map(|gate| argument(gate, output_len)).into(),
                argument(output, output_len),
                first,
                target.channels,
                height,
                width,
                tiles,
                down,
                across,
                self.scheme,
            );
        }
        Ok(())
    }

    fn transform_weight<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        weight: &Handle,
        at_points: &Handle,
    ) -> Result<(), Error> {
        let [depth, rows] = [self.source(), self.target()].map(|planes| planes.channels);
        let [weight_len, ..] = self.lens(1);
        weight::transform_weight::launch::<R>(
            client,
            Lines::of(depth * rows)?.count(),
            Lines::dim(),
            argument(weight, self.geometry.weight_len()),
            argument(at_points, weight_len),
            depth,
            rows,
            self.pass == Pass::InputGradient,
            self.scheme,
        );
        Ok(())
    }

    fn transform_source<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        images: &Handle,
        at_points: &Handle,
        (first, count): (usize, usize),
    ) -> Result<(), Error> {
        let Planes { channels, size: [height, width] } = self.source();
        let [_, len, _] = self.lens(count);
        let ([down, across], tiles) = (self.tiles(), self.tiles_of(count));
        image::transform_input::launch::<R>(
            client,
            Lines::of(channels * tiles)?.count(),
            Lines::dim(),
            argument(images, self.geometry.batch * channels * height * width),
            argument(at_points, len),
            first,
            channels,
            height,
            width,
            tiles,
            down,
            across,
            self.padding(),
            self.scheme,
        );
        Ok(())
    }

    /// Computes the gradients of weight and bias.
    pub(crate) fn parameter_gradients<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        [input, gradient]: [&Handle; 2],
        gradients: &ParameterGradients,
    ) -> Result<(), Error> {
        let geometry = &self.geometry;
        let [_, source_len, target_len] = self.lens(self.chunk());
        let (partial_len, parts) = (self.partial_len(), self.parts());
        let source_at_points = allocate(client, "the input at the points", source_len)?;
        let target_at_points = allocate(client, "the gradient at the points", target_len)?;
        let partial = allocate(client, "the partial sums", partial_len)?;
        let target = self.target();
        let [height, width] = target.size;
        let [down, across] = self.tiles();
        for (first, count) in self.chunks() {
            let tiles = self.tiles_of(count);
            self.transform_source(client, input, &source_at_points, (first, count))?;
            image::transform_gradient::launch::<R>(
                client,
                Lines::of(target.channels * tiles)?.count(),
                Lines::dim(),
                argument(gradient, geometry.output_len()),
                argument(&target_at_points, target_len),
                first,
                target.channels,
                height,
                width,
                tiles,
                down,
                across,
                self.scheme,
            );
            product::multiply_points::launch::<R>(
                client,
                self.count(count)?,
                CubeDim::new_1d(self.tile.threads() as u32),
                argument(&target_at_points, target_len),
                argument(&source_at_points, source_len),
                argument(&partial, partial_len),
                geometry.outputs,
                geometry.inputs,
                tiles,
                self.part_depth(),
                u32::from(first > 0),
                self.scheme.points(),
                Form::WeightGradient { sums_at: self.scheme.sum_point() },
                self.tile,
            );
        }
        let kernels = geometry.outputs * geometry.inputs;
        weight::transform_weight_gradient::launch::<R>(
            client,
            Lines::of(kernels + geometry.outputs)?.count(),
            Lines::dim(),
            argument(&partial, partial_len),
            argument(&gradients.weight, geometry.weight_len()),
            argument(&gradients.bias, geometry.outputs),
            parts,
            kernels,
            geometry.outputs,
            self.scheme,
        );
        Ok(())
    }

    /// Returns what the pass costs.
    pub(crate) fn cost(&self) -> Cost {
        let geometry = &self.geometry;
        let chunks = self.chunks().map(|(_, count)| self.chunk_cost(count));
        let kernels = geometry.inputs * geometry.outputs;
        let [weight, ..] = self.lens(1);
        let of_weights = match self.pass {
            Pass::Forward | Pass::InputGradient => {
                let lens = [geometry.weight_len(), weight];
                transform_cost(kernels, Matrix::Kernel(self.scheme), bytes(&lens))
            }
            Pass::WeightGradient => {
                let sums = geometry.weight_len() + geometry.outputs;
                let bytes = bytes(&[self.partial_len(), sums]);
                transform_cost(kernels, Matrix::KernelTransposed(self.scheme), bytes)
            }
        };
        chunks.sum::<Cost>() + of_weights
    }

    /// Returns what a chunk costs.
    fn chunk_cost(&self, images: usize) -> Cost {
        let (source, target, tiles) = (self.source(), self.target(), self.tiles_of(images));
        let len = |planes: Planes| images * planes.channels * planes.size[0] * planes.size[1];
        let [weight, source_len, target_len] = self.lens(images);
        let points = self.scheme.points();
        let [across, down] = self.workgroups(images);
        let [_, _, depth] = self.product(images);
        // With the gate, or the sums of the chunks before.
        let product_bytes = match self.pass {
            Pass::Forward | Pass::InputGradient => bytes(&[weight]),
            Pass::WeightGradient => 2 * bytes(&[self.partial_len()]),
        };
        let product = Cost {
            dispatches: 1,
            workgroups: (across * down * points * self.parts()) as u64,
            flops: self.geometry.flops() / self.geometry.batch as u64 * images as u64,
            executed_flops: 2
                * (across * self.tile.columns * down * self.tile.rows * points) as u64
                * depth.next_multiple_of(self.tile.depth) as u64,
            bytes: bytes(&[source_len, target_len]) + product_bytes,
        };
        let of_source = transform_cost(
            source.channels * tiles,
            Matrix::Input(self.scheme),
            bytes(&[len(source), source_len]),
        );
        let (matrix, gate) = match self.pass {
            Pass::Forward => (Matrix::Output(self.scheme), 0),
            Pass::InputGradient => (Matrix::Output(self.scheme), len(target)),
            Pass::WeightGradient => (Matrix::OutputTransposed(self.scheme), 0),
        };
        let lens = [len(target), target_len, gate];
        of_source + product + transform_cost(target.channels * tiles, matrix, bytes(&lens))
    }
}

/// Returns what a transform costs, with a thread for each tile.
fn transform_cost(tiles: usize, matrix: Matrix, bytes: u64) -> Cost {
    Cost {
        dispatches: 1,
        workgroups: tiles.div_ceil(Lines::THREADS) as u64,
        flops: 0,
        executed_flops: 2 * (tiles * matrix.products()) as u64,
        bytes,
    }
}
