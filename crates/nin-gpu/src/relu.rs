//! The gradient of a ReLU.

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::Error;
use crate::buffer::{Lines, allocate, argument, check};
use crate::cost::{Cost, bytes};

#[cube(launch)]
fn relu_gradient_kernel(
    activations: &Array<f32>,
    gradient: &Array<f32>,
    output: &mut Array<f32>,
    len: usize,
) {
    if ABSOLUTE_POS < len {
        output[ABSOLUTE_POS] = select(activations[ABSOLUTE_POS] > 0.0, gradient[ABSOLUTE_POS], 0.0);
    }
}

/// Computes the gradient before a ReLU from the gradient after it and from its output.
///
/// # Errors
/// [`Error::Length`] or [`Error::TooLarge`].
pub fn relu_gradient<R: Runtime>(
    client: &ComputeClient<R>,
    len: usize,
    [activations, gradient]: [&Handle; 2],
) -> Result<Handle, Error> {
    check("the activations", activations, len)?;
    check("their gradient", gradient, len)?;
    let lines = Lines::of(len)?;
    let output = allocate(client, "the gradient", len)?;
    relu_gradient_kernel::launch::<R>(
        client,
        lines.count(),
        Lines::dim(),
        argument(activations, len),
        argument(gradient, len),
        argument(&output, len),
        len,
    );
    Ok(output)
}

/// Returns what [`relu_gradient`] costs.
pub fn relu_gradient_cost(len: usize) -> Cost {
    let workgroups = len.div_ceil(Lines::THREADS) as u64;
    Cost { dispatches: 1, workgroups, bytes: bytes(&[len, len, len]), ..Cost::default() }
}
