//! Convolution + bias + ReLU and its gradients, each by the algorithm that costs less.

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::buffer::{allocate, check, check_lens};
use crate::direct::Direct;
use crate::tile::{Pass, Tile};
use crate::winograd::Winograd;
use crate::{ConvGeometry, Cost, Elements, Error, ParameterGradients};

/// How a pass of a convolution is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// One product.
    Direct,
    /// Winograd's F(4x4, 3x3) and F(4x4, 5x5), for kernels of these sizes with stride 1.
    Winograd,
}

/// A convolution on a device, with algorithm and tile of each pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    geometry: ConvGeometry,
    plans: [Plan; 3],
    elements: Elements,
}

/// A pass with its algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    Direct(Direct),
    Winograd(Winograd),
}

impl Convolution {
    /// Takes the algorithm of least cost for each pass ([`Cost::in_flops`]), and the tiles of the table.
    pub fn new(geometry: ConvGeometry) -> Self {
        let plan = |pass| {
            let direct = Plan::Direct(Direct::new(geometry, pass));
            let winograd = Winograd::new(geometry, pass).map(Plan::Winograd);
            let costs = |plan: &Plan| plan.cost().in_flops();
            winograd.filter(|winograd| costs(winograd) < costs(&direct)).unwrap_or(direct)
        };
        Self::of_plans(geometry, &Pass::ALL.map(plan))
    }

    /// Takes the direct algorithm for every pass, and the tiles of the table.
    pub fn direct(geometry: ConvGeometry) -> Self {
        Self::of_plans(geometry, &Pass::ALL.map(|pass| Plan::Direct(Direct::new(geometry, pass))))
    }

    /// Takes Winograd's algorithm for every pass, and the tiles of the table; `None` if it has no scheme for the window, or if its
    /// buffers would be too large.
    pub fn winograd(geometry: ConvGeometry) -> Option<Self> {
        let [forward, input_gradient, weight_gradient] =
            Pass::ALL.map(|pass| Winograd::new(geometry, pass).map(Plan::Winograd));
        Some(Self::of_plans(geometry, &[forward?, input_gradient?, weight_gradient?]))
    }

    fn of_plans(geometry: ConvGeometry, plans: &[Plan; 3]) -> Self {
        Self { geometry, plans: *plans, elements: Elements::default() }
    }

    /// Takes these types, and keeps the algorithms.
    #[must_use]
    pub fn with_elements(mut self, elements: Elements) -> Self {
        self.elements = elements;
        self.plans = self.plans.map(|plan| match plan {
            Plan::Direct(direct) => Plan::Direct(direct.with_elements(elements)),
            Plan::Winograd(winograd) => Plan::Winograd(winograd.with_elements(elements)),
        });
        self
    }

    /// Takes this tile for every pass.
    ///
    /// # Errors
    /// [`Error::Tile`]
    pub fn with_tile(mut self, tile: Tile) -> Result<Self, Error> {
        if !tile.is_valid() {
            return Err(Error::Tile { tile: format!("{tile:?}") });
        }
        self.plans = self.plans.map(|plan| match plan {
            Plan::Direct(direct) => Plan::Direct(direct.with_tile(tile)),
            Plan::Winograd(winograd) => Plan::Winograd(winograd.with_tile(tile)),
        });
        Ok(self)
    }

    /// Returns the sizes.
    pub fn geometry(&self) -> &ConvGeometry {
        &self.geometry
    }

    /// Returns the algorithm of a pass.
    pub fn algorithm(&self, pass: Pass) -> Algorithm {
        match self.plan(pass) {
            Plan::Direct(_) => Algorithm::Direct,
            Plan::Winograd(_) => Algorithm::Winograd,
        }
    }

    /// Returns the tile of a pass.
    pub fn tile(&self, pass: Pass) -> Tile {
        match self.plan(pass) {
            Plan::Direct(direct) => direct.tile(),
            Plan::Winograd(winograd) => winograd.tile(),
        }
    }

    /// Returns what a pass costs.
    pub fn cost(&self, pass: Pass) -> Cost {
        self.plan(pass).cost()
    }

    fn plan(&self, pass: Pass) -> &Plan {
        &self.plans[pass as usize]
    }

    /// Checks that a device can bind every buffer and run every kernel, so that no pass returns [`Error::TooLarge`].
    ///
    /// # Errors
    /// [`Error::TooLarge`]
    pub fn check<R: Runtime>(&self, client: &ComputeClient<R>) -> Result<(), Error> {
        let geometry = &self.geometry;
        for plan in &self.plans {
            match plan {
                Plan::Direct(direct) => direct.check(client)?,
                Plan::Winograd(winograd) => winograd.check(client)?,
            }
        }
        check_lens(
            client,
            &[
                ("the input", geometry.input_len()),
                ("the output", geometry.output_len()),
                ("the weight", geometry.weight_len()),
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
        operands: [&Handle; 3],
    ) -> Result<Handle, Error> {
        let geometry = &self.geometry;
        let [input, weight, bias] = operands;
        self.elements.input.check("the input", input, geometry.input_len())?;
        check("the weight", weight, geometry.weight_len())?;
        check("the bias", bias, geometry.outputs)?;
        let output = self.elements.output.allocate(client, "the output", geometry.output_len())?;
        match self.plan(Pass::Forward) {
            Plan::Direct(direct) => direct.forward(client, operands, &output)?,
            Plan::Winograd(winograd) => winograd.forward(client, operands, &output)?,
        }
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
        operands: [&Handle; 2],
        gate: Option<&Handle>,
    ) -> Result<Handle, Error> {
        let geometry = &self.geometry;
        let [gradient, weight] = operands;
        self.elements.output.check("the gradient", gradient, geometry.output_len())?;
        check("the weight", weight, geometry.weight_len())?;
        if let Some(gate) = gate {
            self.elements.input.check("the gate", gate, geometry.input_len())?;
        }
        let (what, len) = ("the gradient of the input", geometry.input_len());
        let output = self.elements.input.allocate(client, what, len)?;
        match self.plan(Pass::InputGradient) {
            Plan::Direct(direct) => direct.input_gradient(client, operands, gate, &output)?,
            Plan::Winograd(winograd) => winograd.input_gradient(client, operands, gate, &output)?,
        }
        Ok(output)
    }

    /// Computes the gradients of weight and bias from the input and the gradient before ReLU.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::TooLarge`].
    pub fn parameter_gradients<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        operands: [&Handle; 2],
    ) -> Result<ParameterGradients, Error> {
        let geometry = &self.geometry;
        let [input, gradient] = operands;
        self.elements.input.check("the input", input, geometry.input_len())?;
        self.elements.output.check("the gradient", gradient, geometry.output_len())?;
        let gradients = ParameterGradients {
            weight: allocate(client, "the gradient of the weight", geometry.weight_len())?,
            bias: allocate(client, "the gradient of the bias", geometry.outputs)?,
        };
        match self.plan(Pass::WeightGradient) {
            Plan::Direct(direct) => direct.parameter_gradients(client, operands, &gradients)?,
            Plan::Winograd(winograd) => {
                winograd.parameter_gradients(client, operands, &gradients)?;
            }
        }
        Ok(gradients)
    }
}

impl Plan {
    fn cost(&self) -> Cost {
        match self {
            Self::Direct(direct) => direct.cost(),
            Self::Winograd(winograd) => winograd.cost(),
        }
    }
}
