//! Many buffers times one factor.

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::Error;
use crate::buffer::{Arrays, Lines, allocate, argument, check, dispatches};

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
    let mut all = Vec::with_capacity(buffers.len());
    for &(buffer, len) in buffers {
        check("a buffer", buffer, len)?;
        all.push((buffer, allocate(client, "a buffer", len)?, len));
    }
    for buffers in dispatches(client, &all, [2, 0], |&(_, _, len)| len) {
        let lens = buffers.iter().map(|&(_, _, len)| len);
        scale_kernel::launch::<R>(
            client,
            Lines::of(lens.clone().sum())?.count(),
            Lines::dim(),
            buffers.iter().map(|&(buffer, _, len)| argument(buffer, len)).collect(),
            buffers.iter().map(|(_, scaled, len)| argument(scaled, *len)).collect(),
            lens.collect(),
            factor,
        );
    }
    Ok(all.into_iter().map(|(_, scaled, _)| scaled).collect())
}
