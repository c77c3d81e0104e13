//! The kernels of each pass, chunk by chunk.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::plan::{Planes, Winograd};
use super::product::{Form, multiply_points};
use super::{image, weight};
use crate::buffer::{Lines, allocate, argument, check_lens, workgroups};
use crate::tile::Pass;
use crate::{Error, ParameterGradients};

impl Winograd {
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
            multiply_points::launch::<R>(
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
            image::transform_output::launch(
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
                target.element.storage(),
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
        let Planes { channels, size: [height, width], element } = self.source();
        let [_, len, _] = self.lens(count);
        let ([down, across], tiles) = (self.tiles(), self.tiles_of(count));
        image::transform_input::launch(
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
            element.storage(),
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
            image::transform_gradient::launch(
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
                target.element.storage(),
            );
            multiply_points::launch::<R>(
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
}
