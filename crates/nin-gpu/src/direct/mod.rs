//! Convolution + bias + ReLU and its gradients, as products of matrices that are never written to memory (implicit GEMM).

mod forward;
mod input_gradient;
mod weight_gradient;

use cubecl::ir::StorageType;
use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::buffer::{Lines, allocate, argument, check_lens, workgroups};
use crate::cost::{Cost, bytes};
use crate::geometry::checked_len;
use crate::tile::{Pass, Tile, parts, tile};
use crate::{ConvGeometry, Element, Elements, Error, ParameterGradients};

/// A pass of a convolution as one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Direct {
    geometry: ConvGeometry,
    pass: Pass,
    tile: Tile,
    elements: Elements,
}

impl Direct {
    /// Takes the tile of the table.
    pub(crate) fn new(geometry: ConvGeometry, pass: Pass) -> Self {
        Self { geometry, pass, tile: tile(pass, &geometry), elements: Elements::default() }
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

    /// Checks that a device can bind every buffer and run every kernel.
    pub(crate) fn check<R: Runtime>(&self, client: &ComputeClient<R>) -> Result<(), Error> {
        self.workgroups()?;
        match self.pass {
            Pass::Forward | Pass::InputGradient => Ok(()),
            Pass::WeightGradient => {
                check_lens(client, &[("the partial sums", self.partial_len()?)])
            }
        }
    }

    /// Computes convolution + bias + ReLU into `output`.
    pub(crate) fn forward<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        [input, weight, bias]: [&Handle; 3],
        output: &Handle,
    ) -> Result<(), Error> {
        let geometry = &self.geometry;
        let ConvGeometry { batch, inputs, outputs, size: [height, width], window, .. } = *geometry;
        let [output_height, output_width] = geometry.output_size;
        forward::forward::launch(
            client,
            self.workgroups()?,
            CubeDim::new_1d(self.tile.threads() as u32),
            argument(input, geometry.input_len()),
            argument(weight, geometry.weight_len()),
            argument(bias, outputs),
            argument(output, geometry.output_len()),
            batch,
            inputs,
            outputs,
            height,
            width,
            output_height,
            output_width,
            window,
            self.tile,
            self.types(),
        );
        Ok(())
    }

    /// Computes the gradient of the input into `output`, masked by a gate.
    pub(crate) fn input_gradient<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        [gradient, weight]: [&Handle; 2],
        gate: Option<&Handle>,
        output: &Handle,
    ) -> Result<(), Error> {
        let geometry = &self.geometry;
        let ConvGeometry { batch, inputs, outputs, size: [height, width], window, .. } = *geometry;
        let [output_height, output_width] = geometry.output_size;
        input_gradient::input_gradient::launch(
            client,
            self.workgroups()?,
            CubeDim::new_1d(self.tile.threads() as u32),
            argument(gradient, geometry.output_len()),
            argument(weight, geometry.weight_len()),
            gate.map(|gate| argument(gate, geometry.input_len())).into(),
            argument(output, geometry.input_len()),
            batch,
            inputs,
            outputs,
            height,
            width,
            output_height,
            output_width,
            window,
            self.tile,
            self.types(),
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
        let ConvGeometry { batch, inputs, outputs, size: [height, width], window, .. } = *geometry;
        let [output_height, output_width] = geometry.output_size;
        let (parts, weight_len) = (self.parts(), geometry.weight_len());
        let partial_len = self.partial_len()?;
        let lines = Lines::of(weight_len + outputs)?;
        let partial = allocate(client, "the partial sums", partial_len)?;
        weight_gradient::weight_gradient::launch(
            client,
            self.workgroups()?,
            CubeDim::new_1d(self.tile.threads() as u32),
            argument(input, geometry.input_len()),
            argument(gradient, geometry.output_len()),
            argument(&partial, partial_len),
            batch,
            inputs,
            outputs,
            height,
            width,
            output_height,
            output_width,
            self.part_depth(),
            window,
            self.tile,
            self.types(),
        );
        weight_gradient::add_parts::launch::<R>(
            client,
            lines.count(),
            Lines::dim(),
            argument(&partial, partial_len),
            argument(&gradients.weight, weight_len),
            argument(&gradients.bias, outputs),
            parts,
            weight_len,
            outputs,
        );
        Ok(())
    }

    /// Returns what the pass costs.
    pub(crate) fn cost(&self) -> Cost {
        let (geometry, tile) = (&self.geometry, self.tile);
        let [rows, columns, depth] = self.pass.product(geometry);
        let [across, down] = [columns.div_ceil(tile.columns), rows.div_ceil(tile.rows)];
        let input = self.elements.input.bytes(geometry.input_len()) as u64;
        let output = self.elements.output.bytes(geometry.output_len()) as u64;
        let (weight, bias) = (geometry.weight_len(), geometry.outputs);
        let product = Cost {
            dispatches: 1,
            workgroups: (across * down) as u64,
            flops: geometry.flops(),
            executed_flops: 2
                * (across * tile.columns) as u64
                * (down * tile.rows) as u64
                * depth.next_multiple_of(tile.depth) as u64,
            bytes: input + output + bytes(&[weight]),
        };
        match self.pass {
            Pass::Forward => Cost { bytes: product.bytes + bytes(&[bias]), ..product },
            // With the gate.
            Pass::InputGradient => Cost { bytes: product.bytes + input, ..product },
            Pass::WeightGradient => {
                let (parts, sums) = (self.parts(), weight + bias);
                let product = Cost {
                    workgroups: product.workgroups * parts as u64,
                    bytes: input + output + bytes(&[parts * sums]),
                    ..product
                };
                let addition = Cost {
                    dispatches: 1,
                    workgroups: sums.div_ceil(Lines::THREADS) as u64,
                    flops: 0,
                    executed_flops: (parts * sums) as u64,
                    bytes: bytes(&[parts * sums, sums]),
                };
                product + addition
            }
        }
    }

    /// Returns the types of factors, input and output.
    fn types(&self) -> [StorageType; 3] {
        let Elements { factors, input, output } = self.elements;
        [factors, input, output].map(Element::storage)
    }

    /// Returns into how many parts the sums of the weight gradient are divided.
    fn parts(&self) -> usize {
        let [_, _, depth] = Pass::WeightGradient.product(&self.geometry);
        depth.div_ceil(self.part_depth())
    }

    /// Returns the number of partial sums.
    fn partial_len(&self) -> Result<usize, Error> {
        let sums = self.geometry.weight_len() + self.geometry.outputs;
        checked_len("the partial sums", &[self.parts(), sums])
    }

    /// Returns the length of a part.
    fn part_depth(&self) -> usize {
        let [_, _, depth] = Pass::WeightGradient.product(&self.geometry);
        depth.div_ceil(parts(&self.geometry, self.tile)).next_multiple_of(self.tile.depth)
    }

    /// Returns the workgroups: columns, rows and parts.
    fn workgroups(&self) -> Result<CubeCount, Error> {
        let [rows, columns, _] = self.pass.product(&self.geometry);
        let parts = if self.pass == Pass::WeightGradient { self.parts() } else { 1 };
        workgroups([columns.div_ceil(self.tile.columns), rows.div_ceil(self.tile.rows), parts])
    }
}
