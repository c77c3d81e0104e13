//! Max pooling over panels, and its gradient.

use std::sync::Arc;

use crate::arch::generic::{PoolBackward, PoolForward};
use crate::context::Context;
use crate::conv::Steps;
use crate::error::{Error, expect_len};
use crate::geometry::PoolGeometry;
use crate::panels::PANEL;
use crate::shared::Shared;
use crate::team::Step;

impl Context {
    /// Computes a max pooling. As in PyTorch, the first maximum wins, and NaN wins over numbers.
    ///
    /// `positions`, as long as `output`, receives the position of each maximum in its window, in row-major order, for
    /// [`max_pool_backward`](Self::max_pool_backward). Inference does not need it.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has the wrong length for the geometry.
    pub fn max_pool_forward(
        &self,
        geometry: &PoolGeometry,
        input: &[f32],
        output: &mut [f32],
        positions: Option<&mut [u8]>,
    ) -> Result<(), Error> {
        expect_len("input", input.len(), geometry.input_len())?;
        expect_len("output", output.len(), geometry.output_len())?;
        let (in_plane, plane) = planes(geometry);
        let panels = input.chunks(in_plane).zip(output.chunks_mut(plane));
        if let Some(positions) = positions {
            expect_len("positions", positions.len(), geometry.output_len())?;
            self.each(panels.zip(positions.chunks_mut(plane)), |((input, output), positions)| {
                image_forward(self, geometry, input, output, positions);
            });
        } else {
            self.each(panels, |(input, output)| {
                image_forward(self, geometry, input, output, &mut []);
            });
        }
        Ok(())
    }

    /// Computes the input gradient of [`max_pool_forward`](Self::max_pool_forward).
    ///
    /// If the input is the output of a ReLU, pass the `output` of the pooling to mask by that ReLU at the pooled size: a
    /// maximum that is not positive has no gradient.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has the wrong length for the geometry.
    pub fn max_pool_backward(
        &self,
        geometry: &PoolGeometry,
        positions: &[u8],
        grad_output: &[f32],
        output: Option<&[f32]>,
        grad_input: &mut [f32],
    ) -> Result<(), Error> {
        expect_len("positions", positions.len(), geometry.output_len())?;
        expect_len("grad_output", grad_output.len(), geometry.output_len())?;
        if let Some(output) = output {
            expect_len("output", output.len(), geometry.output_len())?;
        }
        expect_len("grad_input", grad_input.len(), geometry.input_len())?;
        let (in_plane, plane) = planes(geometry);
        self.each(grad_input.chunks_mut(in_plane).enumerate(), |(index, grad_input)| {
            let at = index * plane..(index + 1) * plane;
            let gate = output.map_or(&[][..], |output| &output[at.clone()]);
            let (positions, gradient) = (&positions[at.clone()], &grad_output[at]);
            image_backward(self, geometry, positions, gradient, gate, grad_input);
        });
        Ok(())
    }
}

/// Returns the number of values in a panel of the input and of the output.
fn planes(geometry: &PoolGeometry) -> (usize, usize) {
    let values = |size: [usize; 2]| size[0] * size[1] * PANEL;
    (values(geometry.input), values(geometry.output))
}

/// Pools all panels of the slices, on the calling thread. `positions` may be empty.
pub(crate) fn image_forward(
    context: &Context,
    geometry: &PoolGeometry,
    input: &[f32],
    output: &mut [f32],
    positions: &mut [u8],
) {
    let (in_plane, plane) = planes(geometry);
    let mut positions = positions.chunks_exact_mut(plane);
    for (input, output) in input.chunks_exact(in_plane).zip(output.chunks_exact_mut(plane)) {
        context.run(PoolForward {
            geometry,
            input,
            output,
            positions: positions.next().unwrap_or_default(),
        });
    }
}

/// Computes the gradients of all panels of the slices, on the calling thread. `gate`, the output of the pooling, may be
/// empty.
pub(crate) fn image_backward(
    context: &Context,
    geometry: &PoolGeometry,
    positions: &[u8],
    gradient: &[f32],
    gate: &[f32],
    grad_input: &mut [f32],
) {
    let (in_plane, plane) = planes(geometry);
    let mut gates = gate.chunks_exact(plane);
    let outputs = positions.chunks_exact(plane).zip(gradient.chunks_exact(plane));
    for (grad_input, (positions, gradient)) in grad_input.chunks_exact_mut(in_plane).zip(outputs) {
        let gate = gates.next().unwrap_or_default();
        context.run(PoolBackward { geometry, positions, gradient, gate, grad_input });
    }
}

/// The pooling of one image, as a step that threads share.
#[derive(Debug)]
struct Panels {
    context: Context,
    geometry: PoolGeometry,
    /// Panels of each part.
    ranges: Vec<(usize, usize)>,
    input: Arc<Shared>,
    output: Arc<Shared>,
}

impl Step for Panels {
    fn parts(&self) -> usize {
        self.ranges.len()
    }

    unsafe fn run(&self, part: usize) {
        let (in_plane, plane) = planes(&self.geometry);
        let (first, count) = self.ranges[part];
        // SAFETY: this step writes the output, each part its own panels, and nothing writes the input.
        let (input, output) =
            unsafe { (self.input.values(), self.output.part(first * plane, count * plane)) };
        let input = &input[first * in_plane..][..count * in_plane];
        image_forward(&self.context, &self.geometry, input, output, &mut []);
    }
}

/// Appends a pooling to the steps of an image.
pub(crate) fn push_step(steps: &mut Steps, geometry: &PoolGeometry) {
    steps.push(geometry.output_len(), |steps, input, output| {
        let ranges = steps.ranges(geometry.channels.div_ceil(PANEL));
        let context = steps.context().clone();
        Panels { context, geometry: *geometry, ranges, input, output }
    });
}
