//! Threads of the CPU backends.

use super::processor;
use crate::ranks::sharing_cores;

/// Returns the default number of threads of the CPU backends: one per core, or this process's share of the cores.
pub fn default_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cores / sharing_cores()).max(1)
}

/// Sizes the thread pools of Burn's operations and of the fused kernels, and returns the kernels' instruction set.
pub fn set_threads(threads: usize) -> anyhow::Result<Option<&'static str>> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    processor::configure_kernels(threads)
}
