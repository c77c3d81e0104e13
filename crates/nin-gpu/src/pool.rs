//! Max pooling and its gradient, which is a gather: every input adds the windows whose maximum it is, in their order.

use cubecl::ir::StorageType;
use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::buffer::{Lines, allocate, argument, check, check_lens};
use crate::cost::{Cost, bytes};
use crate::geometry::Window;
use crate::{Error, PoolGeometry};

/// The place of no value.
const NOWHERE: u32 = u32::MAX;

/// Computes the maxima, and their places in the plane, of windows `[planes, height', width']`. Of equal values, the first
/// counts, as in PyTorch; NaN counts as the largest.
#[cube(launch)]
fn max_pool_kernel<E: Float>(
    input: &Array<E>,
    output: &mut Array<f32>,
    places: &mut Array<u32>,
    planes: usize,
    height: usize,
    width: usize,
    output_height: usize,
    output_width: usize,
    #[comptime] window: Window,
    #[define(E)] _element: StorageType,
) {
    let pixels = output_height * output_width;
    if ABSOLUTE_POS < planes * pixels {
        let plane = ABSOLUTE_POS / pixels * height * width;
        let pixel = ABSOLUTE_POS % pixels;
        let top = pixel / output_width * comptime!(window.stride) - comptime!(window.padding);
        let left = pixel % output_width * comptime!(window.stride) - comptime!(window.padding);
        let mut largest = 0.0f32;
        let mut place = NOWHERE.runtime();
        for down in 0..comptime!(window.kernel) {
            for across in 0..comptime!(window.kernel) {
                // Above and left of the input, these wrap around to numbers that are too large.
                let y = top + down;
                let x = left + across;
                if y < height && x < width {
                    let value = f32::cast_from(input[plane + y * width + x]);
                    let is_larger = value > largest || (value.is_nan() && !largest.is_nan());
                    if is_larger || place == NOWHERE {
                        largest = value;
                        place = (y * width + x) as u32;
                    }
                }
            }
        }
        output[ABSOLUTE_POS] = largest;
        places[ABSOLUTE_POS] = place;
    }
}

/// Computes the gradient of the input, which is the output of a ReLU: maxima of zero pass no gradient.
#[cube(launch)]
fn max_pool_gradient_kernel<E: Float>(
    gradient: &Array<f32>,
    maxima: &Array<f32>,
    places: &Array<u32>,
    output: &mut Array<E>,
    planes: usize,
    height: usize,
    width: usize,
    output_height: usize,
    output_width: usize,
    #[comptime] window: Window,
    #[define(E)] _element: StorageType,
) {
    let pixels = height * width;
    if ABSOLUTE_POS < planes * pixels {
        let plane = ABSOLUTE_POS / pixels * output_height * output_width;
        let place = ABSOLUTE_POS % pixels;
        let bottom = place / width + comptime!(window.padding);
        let right = place % width + comptime!(window.padding);
        // The last window that covers the place, and before it every window that does.
        let last_row = bottom / comptime!(window.stride);
        let last_column = right / comptime!(window.stride);
        let reach = comptime!(window.kernel.div_ceil(window.stride));
        let mut sum = 0.0f32;
        for up in 0..reach {
            for back in 0..reach {
                // Before the first window, these wrap around to numbers that are too large.
                let row = last_row + comptime!(1usize) + up - reach;
                let column = last_column + comptime!(1usize) + back - reach;
                if row < output_height && column < output_width {
                    let at = plane + row * output_width + column;
                    if places[at] == place as u32 && maxima[at] > 0.0 {
                        sum += gradient[at];
                    }
                }
            }
        }
        output[ABSOLUTE_POS] = E::cast_from(sum);
    }
}

/// The maxima of windows and their places in the plane.
#[derive(Debug, Clone)]
pub struct Pooled {
    /// `[planes, height', width']`
    pub maxima: Handle,
    /// The place of each maximum, `row * width + column`, as 32-bit integers.
    pub places: Handle,
}

impl PoolGeometry {
    /// Checks that a device can bind every buffer and run every kernel, so that no pass returns [`Error::TooLarge`].
    ///
    /// # Errors
    /// [`Error::TooLarge`]
    pub fn check<R: Runtime>(&self, client: &ComputeClient<R>) -> Result<(), Error> {
        Lines::of(self.input_len())?;
        Lines::of(self.output_len())?;
        let lens =
            [("the pool's input", self.input_len()), ("the pool's output", self.output_len())];
        check_lens(client, &lens)
    }

    /// Returns what the pool costs.
    pub fn cost(&self) -> Cost {
        // The maxima and their places.
        self.cost_of(self.output_len(), 2)
    }

    /// Returns what its gradient costs, with that of the ReLU before it.
    pub fn gradient_cost(&self) -> Cost {
        // The maxima, their places and their gradient.
        self.cost_of(self.input_len(), 3)
    }

    fn cost_of(&self, threads: usize, values_per_output: usize) -> Cost {
        let workgroups = threads.div_ceil(Lines::THREADS) as u64;
        let input = self.element.bytes(self.input_len()) as u64;
        let bytes = input + bytes(&[values_per_output * self.output_len()]);
        Cost { dispatches: 1, workgroups, bytes, ..Cost::default() }
    }
}

/// Computes the maximum of each window.
///
/// # Errors
/// [`Error::Length`] or [`Error::TooLarge`].
pub fn max_pool<R: Runtime>(
    client: &ComputeClient<R>,
    geometry: &PoolGeometry,
    input: &Handle,
) -> Result<Pooled, Error> {
    let PoolGeometry { planes, size: [height, width], output_size, window, element } = *geometry;
    let [output_height, output_width] = output_size;
    element.check("the pool's input", input, geometry.input_len())?;
    let lines = Lines::of(geometry.output_len())?;
    let maxima = allocate(client, "the pool's output", geometry.output_len())?;
    let places = allocate(client, "the pool's places", geometry.output_len())?;
    max_pool_kernel::launch(
        client,
        lines.count(),
        Lines::dim(),
        argument(input, geometry.input_len()),
        argument(&maxima, geometry.output_len()),
        argument(&places, geometry.output_len()),
        planes,
        height,
        width,
        output_height,
        output_width,
        window,
        element.storage(),
    );
    Ok(Pooled { maxima, places })
}

/// Computes the gradient of a pool's input, which is the output of a ReLU, and of that ReLU.
///
/// # Errors
/// [`Error::Length`] or [`Error::TooLarge`].
pub fn max_pool_gradient<R: Runtime>(
    client: &ComputeClient<R>,
    geometry: &PoolGeometry,
    Pooled { maxima, places }: &Pooled,
    gradient: &Handle,
) -> Result<Handle, Error> {
    let PoolGeometry { planes, size: [height, width], output_size, window, element } = *geometry;
    let [output_height, output_width] = output_size;
    for (what, buffer) in [
        ("the pool's gradient", gradient),
        ("the pool's output", maxima),
        ("the pool's places", places),
    ] {
        check(what, buffer, geometry.output_len())?;
    }
    let lines = Lines::of(geometry.input_len())?;
    let (what, len) = ("the gradient of the pool's input", geometry.input_len());
    let output = element.allocate(client, what, len)?;
    max_pool_gradient_kernel::launch(
        client,
        lines.count(),
        Lines::dim(),
        argument(gradient, geometry.output_len()),
        argument(maxima, geometry.output_len()),
        argument(places, geometry.output_len()),
        argument(&output, geometry.input_len()),
        planes,
        height,
        width,
        output_height,
        output_width,
        window,
        element.storage(),
    );
    Ok(output)
}
