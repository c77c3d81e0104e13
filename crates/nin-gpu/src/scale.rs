//! Many buffers times one factor.

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::Error;
use crate::buffer::{Arrays, Lines, allocate, argument, check, groups_per_dispatch};

/// Scales some buffers, whose values are counted through all of them.
#[cube(launch)]
fn scale_kernel(buffers: &Arrays, scaled: &mut Arrays, lens: &Sequence<usize>, factor: f32) {
    let mut start = 0;
    #[unroll]
    for buffer in 0..comptime!(buffers.len()) {
        // Before the buffer's first value, this wraps around to a number that is too large.
        let at = ABSOLUTE_POS - start;
        if at < lens[buffer] {
            scaled.index_mut(buffer)[at] = buffers.index(buffer)[at] * factor;
        }
        start += lens[buffer];
    }
}

/// Multiplies buffers of these lengths by a factor, in as few dispatches as the adapter's limit on bindings allows.
///
/// # Errors
/// [`Error::Length`] or [`Error::TooLarge`].
pub fn scaled<R: Runtime>(
    client: &ComputeClient<R>,
    buffers: &[(&Handle, usize)],
    factor: f32,
) -> Result<Vec<Handle>, Error> {
    let mut scaled = Vec::with_capacity(buffers.len());
    for &(buffer, len) in buffers {
        check("a buffer", buffer, len)?;
        scaled.push(allocate(client, "a buffer", len)?);
    }
    let per_dispatch = groups_per_dispatch(client, 2, 0);
    for (buffers, scaled) in buffers.chunks(per_dispatch).zip(scaled.chunks(per_dispatch)) {
        let lens = buffers.iter().map(|&(_, len)| len);
        let lines = Lines::of(lens.clone().sum())?;
        let scaled = scaled.iter().zip(lens.clone());
        scale_kernel::launch::<R>(
            client,
            lines.count(),
            Lines::dim(),
            buffers.iter().map(|&(buffer, len)| argument(buffer, len)).collect(),
            scaled.map(|(buffer, len)| argument(buffer, len)).collect(),
            lens.collect(),
            factor,
        );
    }
    Ok(scaled)
}
