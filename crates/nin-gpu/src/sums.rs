//! The sum of each of many buffers, and that of its squares.

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::Error;
use crate::buffer::{Arrays, Lines, allocate, argument, check, dispatches};
use crate::reduction::{Reduction, reduced};

/// Workgroups per buffer. Each writes one partial sum.
const PARTS: usize = 64;

/// The parts of some sums.
#[derive(Debug, Clone)]
pub struct Sums {
    /// For each buffer, the parts of the sum of its values, then those of the sum of its squares:
    /// `[buffers, 2, parts]`.
    pub parts: Handle,
    /// The shape of `parts`.
    pub shape: [usize; 3],
}

/// Adds up some buffers. Along the axis y, each has workgroups of its own, whose threads stride over the buffer. The parts of the
/// first buffer begin at `first`.
#[cube(launch)]
fn sums_kernel(buffers: &Arrays, sums: &mut Array<f32>, lens: &Sequence<usize>, first: usize) {
    let mut sum = 0.0;
    let mut squares = 0.0;
    #[unroll]
    for buffer in 0..comptime!(buffers.len()) {
        if CUBE_POS_Y == comptime!(buffer as u32) {
            let values = buffers.index(buffer);
            let start = (CUBE_POS_X * comptime!(Lines::THREADS as u32) + UNIT_POS) as usize;
            for at in range_stepped(start, lens[buffer], comptime!(PARTS * Lines::THREADS)) {
                sum += values[at];
                squares += values[at] * values[at];
            }
        }
    }
    let mut parts = SharedMemory::<f32>::new(comptime!(Lines::THREADS));
    let sum = reduced(sum, &mut parts, comptime!(Lines::THREADS), Reduction::Sum);
    let squares = reduced(squares, &mut parts, comptime!(Lines::THREADS), Reduction::Sum);
    if UNIT_POS == 0 {
        let part = first + (CUBE_POS_Y * comptime!(2 * PARTS as u32) + CUBE_POS_X) as usize;
        sums[part] = sum;
        sums[part + comptime!(PARTS)] = squares;
    }
}

impl Sums {
    /// Computes the sums of some buffers of these lengths, in as few dispatches as the adapter's limit on bindings allows.
    /// The order of additions depends on the lengths alone.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::TooLarge`].
    pub fn of<R: Runtime>(
        client: &ComputeClient<R>,
        buffers: &[(&Handle, usize)],
    ) -> Result<Self, Error> {
        for &(buffer, len) in buffers {
            check("a buffer", buffer, len)?;
        }
        let shape = [buffers.len(), 2, PARTS];
        let len = shape.iter().product();
        let parts = allocate(client, "the sums", len)?;
        let mut first = 0;
        for buffers in dispatches(client, buffers, [1, 1], |&(_, len)| len) {
            sums_kernel::launch::<R>(
                client,
                CubeCount::Static(PARTS as u32, buffers.len() as u32, 1),
                Lines::dim(),
                buffers.iter().map(|&(buffer, len)| argument(buffer, len)).collect(),
                argument(&parts, len),
                buffers.iter().map(|&(_, len)| len).collect(),
                first,
            );
            first += buffers.len() * 2 * PARTS;
        }
        Ok(Self { parts, shape })
    }
}
