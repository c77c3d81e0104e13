//! What the kernels run in: an instruction set, threads and scratch memory.

use std::sync::{Arc, RwLock};

use crate::algorithm::Algorithm;
use crate::arch::generic::panels_per_block;
use crate::arch::{Arch, Bf16Arch, Int8Arch, Operation, TilesArch};
use crate::error::Error;
use crate::isa::Isa;
use crate::precision::Precision;
use crate::scratch::{Scratch, ScratchPool};
use crate::team::{Team, Work};

/// An instruction set that this CPU has, a thread pool, and scratch memory for its threads. Clones share all three.
///
/// A call computes on the thread that calls and on others of the pool.
#[derive(Debug, Clone)]
pub struct Context {
    arch: Arch,
    threads: Arc<rayon::ThreadPool>,
    team: Arc<Team>,
    /// Whether loops stay on the calling thread.
    is_alone: bool,
    pub(crate) scratch: ScratchPool,
    pub(crate) algorithm: Algorithm,
    precision: Precision,
}

/// What [`Context::shared`] returns.
static SHARED: RwLock<Option<Context>> = RwLock::new(None);

impl Context {
    /// Creates a context with a pool of `threads` threads; 0 means one for each core.
    ///
    /// # Errors
    /// [`Error::IsaMissing`] where the CPU lacks the instruction set, [`Error::Threads`] where the threads do not start.
    pub fn new(isa: Isa, threads: usize) -> Result<Self, Error> {
        let arch = Arch::new(isa)?;
        let builder = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("nin-{index}"));
        // WebAssembly has no threads.
        #[cfg(target_arch = "wasm32")]
        let builder = builder.num_threads(1).use_current_thread();
        let threads = builder
            .build()
            .map_err(|error| Error::Threads { threads, reason: error.to_string() })?;
        Ok(Self {
            arch,
            threads: Arc::new(threads),
            team: Arc::default(),
            is_alone: false,
            scratch: ScratchPool::default(),
            algorithm: Algorithm::default(),
            precision: Precision::default(),
        })
    }

    /// Returns the context of the process: the one given to [`set_shared`](Self::set_shared), otherwise one with the
    /// fastest instruction set and a thread for each core.
    ///
    /// # Errors
    /// [`Error::Threads`] where the threads do not start.
    pub fn shared() -> Result<Self, Error> {
        if let Some(context) = SHARED.read().ok().and_then(|context| context.clone()) {
            return Ok(context);
        }
        let made = Self::new(Isa::detect(), 0)?;
        // Two threads may get here at once: the first one wins.
        let Ok(mut slot) = SHARED.write() else {
            return Ok(made);
        };
        Ok(slot.get_or_insert(made).clone())
    }

    /// Makes this the context of the process.
    pub fn set_shared(self) {
        if let Ok(mut slot) = SHARED.write() {
            *slot = Some(self);
        }
    }

    /// Returns the instruction set of [`shared`](Self::shared), without starting its threads.
    pub fn shared_isa() -> Isa {
        let shared = SHARED.read().ok().and_then(|context| context.as_ref().map(Self::isa));
        shared.unwrap_or_else(Isa::detect)
    }

    /// Returns the context with another choice of algorithm.
    #[must_use]
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Returns the context with another precision of operands.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Returns whether the instruction set multiplies bf16, so that [`Precision::Bf16`] makes a difference.
    pub fn computes_in_bf16(&self) -> bool {
        Bf16Arch::of(self.arch).is_some() || TilesArch::of(self.arch).is_some()
    }

    /// Returns the instruction set for pairs of bf16, if [`Precision::Bf16`] was asked for and the CPU has it.
    pub(crate) fn bf16(&self) -> Option<Bf16Arch> {
        match self.precision {
            Precision::Fp32 => None,
            Precision::Bf16 => Bf16Arch::of(self.arch),
        }
    }

    /// Returns the instruction set for tiles of bf16, if [`Precision::Bf16`] was asked for and the CPU has it.
    pub(crate) fn tiles(&self) -> Option<TilesArch> {
        match self.precision {
            Precision::Fp32 => None,
            Precision::Bf16 => TilesArch::of(self.arch),
        }
    }

    /// Returns the instruction set for bytes.
    pub(crate) fn int8(&self) -> Int8Arch {
        Int8Arch::of(self.arch)
    }

    /// Returns the instruction set.
    pub fn isa(&self) -> Isa {
        self.arch.isa()
    }

    /// Returns the instruction set that determines results: without bf16 operands, tiles are not used.
    pub fn arithmetic(&self) -> Isa {
        match (self.isa(), self.precision) {
            (Isa::Amx, Precision::Fp32) => Isa::Avx512,
            (Isa::PortableTiles, Precision::Fp32) => Isa::PortableWide,
            (isa, _) => isa,
        }
    }

    /// Returns the name of the instruction set.
    pub fn name(&self) -> &'static str {
        self.isa().name()
    }

    /// Returns the number of threads in the pool.
    pub fn threads(&self) -> usize {
        self.threads.current_num_threads()
    }

    /// Takes a buffer of `len` values, with unspecified contents, from the memory that all clones share.
    ///
    /// For values that a forward pass saves for the backward pass: each step reuses the memory of the last, and the
    /// system need not zero fresh pages.
    pub fn buffer(&self, len: usize) -> Scratch {
        self.scratch.take(len)
    }

    /// Returns how many channel panels are interleaved in packed weights.
    pub(crate) fn panels_per_block(&self) -> usize {
        panels_per_block(self.arch.lanes())
    }

    /// Returns a context for one thread among others that work: its loops stay on that thread.
    pub(crate) fn alone(&self) -> Self {
        Self { is_alone: true, ..self.clone() }
    }

    /// Returns whether loops stay on the calling thread.
    pub(crate) fn is_alone(&self) -> bool {
        self.is_alone || self.threads() == 1
    }

    /// Does the work on the calling thread and others of the pool.
    pub(crate) fn share(&self, work: &Arc<Work>) {
        work.share(&self.team, &self.threads);
    }

    /// Runs an operation on the calling thread, compiled for the instruction set.
    pub(crate) fn run<O: Operation>(&self, operation: O) -> O::Output {
        self.arch.run(operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portable_is_always_available() {
        let context = Context::new(Isa::Portable, 3).unwrap();
        assert_eq!((context.name(), context.threads()), ("portable", 3));
    }
}
