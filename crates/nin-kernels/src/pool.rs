//! Max pooling over panels, and its gradient.

use rayon::prelude::*;

use crate::arch::generic::{PoolBackward, PoolForward};
use crate::cpu::Cpu;
use crate::error::{Error, expect_len};
use crate::geometry::PoolGeometry;
use crate::panels::PANEL;

impl Cpu {
    /// Max pooling. `positions` (as long as `output`) receives where in its window each maximum lies, row by row, for
    /// [`max_pool_backward`](Self::max_pool_backward); inference needs none. The first maximum wins, NaN wins over
    /// numbers, as in PyTorch.
    ///
    /// # Errors
    /// A slice of another length than the geometry says.
    pub fn max_pool_forward(
        &self,
        geometry: &PoolGeometry,
        input: &[f32],
        output: &mut [f32],
        positions: Option<&mut [u8]>,
    ) -> Result<(), Error> {
        expect_len("input", input.len(), geometry.input_len())?;
        expect_len("output", output.len(), geometry.output_len())?;
        let plane = geometry.output[0] * geometry.output[1] * PANEL;
        let panels = input
            .par_chunks(geometry.input[0] * geometry.input[1] * PANEL)
            .zip(output.par_chunks_mut(plane));
        if let Some(positions) = positions {
            expect_len("positions", positions.len(), geometry.output_len())?;
            let panels = panels.zip(positions.par_chunks_mut(plane));
            self.install(|| {
                panels.for_each(|((input, output), positions)| {
                    self.run(PoolForward {
                        geometry,
                        input,
                        output,
                        positions,
                    });
                });
            });
        } else {
            self.install(|| {
                panels.for_each(|(input, output)| {
                    self.run(PoolForward {
                        geometry,
                        input,
                        output,
                        positions: &mut [],
                    })
                });
            });
        }
        Ok(())
    }

    /// The gradient of [`max_pool_forward`](Self::max_pool_forward)'s input. Where the input came out of a ReLU, `output`
    /// (the pooling's) applies that ReLU's mask as well, at the pooled size: a maximum that is not positive passes nothing.
    ///
    /// # Errors
    /// A slice of another length than the geometry says.
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
        let plane = geometry.output[0] * geometry.output[1] * PANEL;
        let panels = grad_input
            .par_chunks_mut(geometry.input[0] * geometry.input[1] * PANEL)
            .enumerate();
        self.install(|| {
            panels.for_each(|(index, grad_input)| {
                let at = index * plane..(index + 1) * plane;
                self.run(PoolBackward {
                    geometry,
                    positions: &positions[at.clone()],
                    gradient: &grad_output[at.clone()],
                    gate: output.map_or(&[], |output| &output[at]),
                    grad_input,
                });
            });
        });
        Ok(())
    }
}
