//! Reductions over the threads of a workgroup.

use cubecl::prelude::*;

/// How values become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reduction {
    /// Their sum.
    Sum,
    /// The largest of them.
    Maximum,
}

/// Reduces a value of each of the workgroup's `threads` threads, a power of two, in the order of a tree. All of them take part,
/// and `parts` has a place for each.
#[cube]
pub(crate) fn reduced(
    value: f32,
    parts: &mut SharedMemory<f32>,
    #[comptime] threads: usize,
    #[comptime] reduction: Reduction,
) -> f32 {
    let at = UNIT_POS as usize;
    parts[at] = value;
    sync_cube();
    #[unroll]
    for halvings in 1..comptime!(threads.ilog2() + 1) {
        let half = comptime!(threads >> halvings);
        if at < half {
            let (one, other) = (parts[at], parts[at + half]);
            parts[at] = match comptime!(reduction) {
                Reduction::Sum => one + other,
                Reduction::Maximum => max(one, other),
            };
        }
        sync_cube();
    }
    let whole = parts[0];
    sync_cube();
    whole
}
