//! Convolution + bias + ReLU and its gradients, as products of matrices that are never written to memory (implicit GEMM).

mod forward;
mod input_gradient;
mod weight_gradient;

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::buffer::{Lines, WORKGROUPS_PER_AXIS, allocate, argument, check, check_lens};
use crate::cost::{Cost, bytes};
use crate::geometry::checked_len;
use crate::tile::{Pass, Tile, parts, tile};
use crate::{ConvGeometry, Error};

/// A convolution on a device, with the tile of each pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    geometry: ConvGeometry,
    tiles: [Tile; 3],
}

/// The gradients of weight and bias.
#[derive(Debug, Clone)]
pub struct ParameterGradients {
    /// `[outputs, inputs, kernel, kernel]`
    pub weight: Handle,
    /// `[outputs]`
    pub bias: Handle,
}

impl Convolution {
    /// Takes the tiles of the table.
    pub fn new(geometry: ConvGeometry) -> Self {
        Self { geometry, tiles: Pass::ALL.map(|pass| tile(pass, &geometry)) }
    }

    /// Takes this tile for every pass.
    ///
    /// # Errors
    /// [`Error::Tile`]
    pub fn with_tile(geometry: ConvGeometry, tile: Tile) -> Result<Self, Error> {
        if !tile.is_valid() {
            return Err(Error::Tile { tile: format!("{tile:?}") });
        }
        Ok(Self { geometry, tiles: [tile; 3] })
    }

    /// Returns the sizes.
    pub fn geometry(&self) -> &ConvGeometry {
        &self.geometry
    }

    /// Returns the tile of a pass.
    pub fn tile(&self, pass: Pass) -> Tile {
        self.tiles[pass as usize]
    }

    /// Checks that a device can bind every buffer and run every kernel, so that no pass returns [`Error::TooLarge`].
    ///
    /// # Errors
    /// [`Error::TooLarge`]
    pub fn check<R: Runtime>(&self, client: &ComputeClient<R>) -> Result<(), Error> {
        let geometry = &self.geometry;
        for pass in Pass::ALL {
            self.workgroups(pass)?;
        }
        check_lens(
            client,
            &[
                ("the input", geometry.input_len()),
                ("the output", geometry.output_len()),
                ("the weight", geometry.weight_len()),
                ("the partial sums", self.partial_len()?),
            ],
        )
    }

    /// Computes convolution + bias + ReLU, `[batch, outputs, height', width']`, from `[batch, inputs, height, width]`.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::TooLarge`].
    pub fn forward<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        [input, weight, bias]: [&Handle; 3],
    ) -> Result<Handle, Error> {
        let geometry = &self.geometry;
        let ConvGeometry { batch, inputs, outputs, size: [height, width], window, .. } = *geometry;
        let [output_height, output_width] = geometry.output_size;
        check("the input", input, geometry.input_len())?;
        check("the weight", weight, geometry.weight_len())?;
        check("the bias", bias, outputs)?;
        let count = self.workgroups(Pass::Forward)?;
        let tile = self.tile(Pass::Forward);
        let output = allocate(client, "the output", geometry.output_len())?;
        forward::forward::launch::<R>(
            client,
            count,
            CubeDim::new_1d(tile.threads() as u32),
            argument(input, geometry.input_len()),
            argument(weight, geometry.weight_len()),
            argument(bias, outputs),
            argument(&output, geometry.output_len()),
            batch,
            inputs,
            outputs,
            height,
            width,
            output_height,
            output_width,
            window,
            tile,
        );
        Ok(output)
    }

    /// Computes the gradient of the input from the gradient before ReLU, `[batch, outputs, height', width']`. With a gate,
    /// which is the input, it is the gradient before the ReLU whose output the input is.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::TooLarge`].
    pub fn input_gradient<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        [gradient, weight]: [&Handle; 2],
        gate: Option<&Handle>,
    ) -> Result<Handle, Error> {
        let geometry = &self.geometry;
        let ConvGeometry { batch, inputs, outputs, size: [height, width], window, .. } = *geometry;
        let [output_height, output_width] = geometry.output_size;
        check("the gradient", gradient, geometry.output_len())?;
        check("the weight", weight, geometry.weight_len())?;
        if let Some(gate) = gate {
            check("the gate", gate, geometry.input_len())?;
        }
        let count = self.workgroups(Pass::InputGradient)?;
        let tile = self.tile(Pass::InputGradient);
        let output = allocate(client, "the gradient of the input", geometry.input_len())?;
        input_gradient::input_gradient::launch::<R>(
            client,
            count,
            CubeDim::new_1d(tile.threads() as u32),
            argument(gradient, geometry.output_len()),
            argument(weight, geometry.weight_len()),
            gate.map(|gate| argument(gate, geometry.input_len())).into(),
            argument(&output, geometry.input_len()),
            batch,
            inputs,
            outputs,
            height,
            width,
            output_height,
            output_width,
            window,
            tile,
        );
        Ok(output)
    }

    /// Computes the gradients of weight and bias from the input and the gradient before ReLU.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::TooLarge`].
    pub fn parameter_gradients<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        [input, gradient]: [&Handle; 2],
    ) -> Result<ParameterGradients, Error> {
        let geometry = &self.geometry;
        let ConvGeometry { batch, inputs, outputs, size: [height, width], window, .. } = *geometry;
        let [output_height, output_width] = geometry.output_size;
        check("the input", input, geometry.input_len())?;
        check("the gradient", gradient, geometry.output_len())?;
        let count = self.workgroups(Pass::WeightGradient)?;
        let tile = self.tile(Pass::WeightGradient);
        let (parts, weight_len) = (self.parts(), geometry.weight_len());
        let partial_len = self.partial_len()?;
        let lines = Lines::of(weight_len + outputs)?;
        let partial = allocate(client, "the partial sums", partial_len)?;
        let gradients = ParameterGradients {
            weight: allocate(client, "the gradient of the weight", weight_len)?,
            bias: allocate(client, "the gradient of the bias", outputs)?,
        };
        weight_gradient::weight_gradient::launch::<R>(
            client,
            count,
            CubeDim::new_1d(tile.threads() as u32),
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
            tile,
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
        Ok(gradients)
    }

    /// Returns what a pass costs.
    pub fn cost(&self, pass: Pass) -> Cost {
        let geometry = &self.geometry;
        let tile = self.tile(pass);
        let [rows, columns, depth] = pass.product(geometry);
        let [across, down] = [columns.div_ceil(tile.columns), rows.div_ceil(tile.rows)];
        let (input, output) = (geometry.input_len(), geometry.output_len());
        let (weight, bias) = (geometry.weight_len(), geometry.outputs);
        let [_, pixels, taps] = Pass::Forward.product(geometry);
        let product = Cost {
            dispatches: 1,
            workgroups: (across * down) as u64,
            // A stride leaves gaps in the product of the input gradient.
            flops: 2 * (geometry.outputs * pixels) as u64 * taps as u64,
            executed_flops: 2
                * (across * tile.columns) as u64
                * (down * tile.rows) as u64
                * depth.next_multiple_of(tile.depth) as u64,
            bytes: bytes(&[input, output, weight]),
        };
        match pass {
            Pass::Forward => Cost { bytes: product.bytes + bytes(&[bias]), ..product },
            // With the gate.
            Pass::InputGradient => Cost { bytes: product.bytes + bytes(&[input]), ..product },
            Pass::WeightGradient => {
                let (parts, sums) = (self.parts(), weight + bias);
                let product = Cost {
                    workgroups: product.workgroups * parts as u64,
                    bytes: bytes(&[input, output, parts * sums]),
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
        let tile = self.tile(Pass::WeightGradient);
        let [_, _, depth] = Pass::WeightGradient.product(&self.geometry);
        depth.div_ceil(parts(&self.geometry, tile)).next_multiple_of(tile.depth)
    }

    /// Returns the workgroups of a pass: columns, rows and parts.
    fn workgroups(&self, pass: Pass) -> Result<CubeCount, Error> {
        let tile = self.tile(pass);
        let [rows, columns, _] = pass.product(&self.geometry);
        let parts = if pass == Pass::WeightGradient { self.parts() } else { 1 };
        let count = [columns.div_ceil(tile.columns), rows.div_ceil(tile.rows), parts];
        if let Some(&size) = count.iter().find(|&&count| count > WORKGROUPS_PER_AXIS) {
            let limit = WORKGROUPS_PER_AXIS as u64;
            return Err(Error::TooLarge { what: "a dispatch", size: size as u64, limit });
        }
        let [x, y, z] = count.map(|count| count as u32);
        Ok(CubeCount::Static(x, y, z))
    }
}
