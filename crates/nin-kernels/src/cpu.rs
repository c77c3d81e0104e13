//! What runs the kernels: an instruction set, threads, and the memory they work in.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock, RwLock};

use crate::arch::generic::panels_per_block;
use crate::arch::{Arch, Bf16Arch, Operation, TilesArch};
use crate::conv::Algorithm;
use crate::error::Error;
use crate::precision::Precision;
use crate::scratch::{Scratch, ScratchPool};

/// An instruction set that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// Plain Rust in vectors of 8 lanes: runs everywhere.
    Portable,
    /// Plain Rust in vectors of 16 lanes: the shapes of AVX-512's tiles, so that they are tested everywhere.
    PortableWide,
    /// As `PortableWide`, and in bf16 the shapes of AMX's tiles.
    PortableTiles,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F.
    Avx512,
    /// AVX-512 F, and in bf16 AMX's tiles.
    Amx,
}

impl Isa {
    /// All of them, slowest first.
    pub const ALL: [Self; 6] = [
        Self::Portable,
        Self::PortableWide,
        Self::PortableTiles,
        Self::Avx2,
        Self::Avx512,
        Self::Amx,
    ];

    /// The name that `NIN_CPU` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::PortableWide => "portable-wide",
            Self::Avx2 => "avx2",
            Self::PortableTiles => "portable-tiles",
            Self::Avx512 => "avx512",
            Self::Amx => "amx",
        }
    }

    /// Whether this CPU has it, and the system lets this process use it. Where the CPU has AMX's tiles, Linux is asked for
    /// them: for the whole process, and for good; its threads' saved state grows by 8 KiB.
    pub fn is_available(self) -> bool {
        Arch::new(self).is_ok()
    }

    /// The best that this CPU has, or what `NIN_CPU` says.
    ///
    /// # Errors
    /// `NIN_CPU` names an instruction set that is unknown, or that this CPU lacks.
    pub fn detect() -> Result<Self, Error> {
        match std::env::var("NIN_CPU") {
            Ok(name) if !name.is_empty() => {
                let isa: Self = name.parse()?;
                Arch::new(isa).map(|_| isa)
            }
            _ => Ok([Self::Amx, Self::Avx512, Self::Avx2]
                .into_iter()
                .find(|isa| isa.is_available())
                .unwrap_or(Self::Portable)),
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Isa {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|isa| isa.name() == name);
        found.ok_or_else(|| Error::IsaUnknown { found: name.to_owned() })
    }
}

/// An instruction set that this CPU has, a pool of threads, and their scratch memory. Clones share all three.
#[derive(Debug, Clone)]
pub struct Cpu {
    arch: Arch,
    threads: Arc<rayon::ThreadPool>,
    pub(crate) scratch: ScratchPool,
    pub(crate) algorithm: Algorithm,
    precision: Precision,
}

impl Cpu {
    /// So many threads (0: one for each core) of the given instruction set.
    ///
    /// # Errors
    /// The CPU lacks the instruction set, or the threads cannot be started.
    pub fn new(isa: Isa, threads: usize) -> Result<Self, Error> {
        let arch = Arch::new(isa)?;
        let builder = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("nin-{index}"));
        let threads = builder
            .build()
            .map_err(|error| Error::Threads { threads, reason: error.to_string() })?;
        Ok(Self {
            arch,
            threads: Arc::new(threads),
            scratch: ScratchPool::default(),
            algorithm: Algorithm::default(),
            precision: Precision::default(),
        })
    }

    /// The process's own: what [`set_shared`](Self::set_shared) gave, else [`Isa::detect`] and one thread for each core.
    ///
    /// # Errors
    /// As [`Isa::detect`] and [`new`](Self::new).
    pub fn shared() -> Result<Self, Error> {
        if let Some(cpu) = shared().read().ok().and_then(|cpu| cpu.clone()) {
            return Ok(cpu);
        }
        let made = Self::new(Isa::detect()?, 0)?;
        // Two threads may come here at once: the first one's stays.
        let Ok(mut slot) = shared().write() else {
            return Ok(made);
        };
        Ok(slot.get_or_insert(made).clone())
    }

    /// Makes this the process's own from now on.
    pub fn set_shared(self) {
        if let Ok(mut slot) = shared().write() {
            *slot = Some(self);
        }
    }

    /// The same with another choice of algorithms.
    #[must_use]
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// The same with another precision of operands.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Whether [`Precision::Bf16`] makes a difference here: the instruction set in use multiplies bf16.
    pub fn computes_in_bf16(&self) -> bool {
        Bf16Arch::of(self.arch).is_some() || TilesArch::of(self.arch).is_some()
    }

    /// What multiplies bf16, where that was asked for and can be had.
    pub(crate) fn bf16(&self) -> Option<Bf16Arch> {
        match self.precision {
            Precision::Fp32 => None,
            Precision::Bf16 => Bf16Arch::of(self.arch),
        }
    }

    /// What multiplies tiles of bf16, where that was asked for and can be had.
    pub(crate) fn tiles(&self) -> Option<TilesArch> {
        match self.precision {
            Precision::Fp32 => None,
            Precision::Bf16 => TilesArch::of(self.arch),
        }
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.arch.isa()
    }

    /// The instruction set that results depend on: tiles play no part where operands are fp32.
    pub fn arithmetic(&self) -> Isa {
        match (self.isa(), self.precision) {
            (Isa::Amx, Precision::Fp32) => Isa::Avx512,
            (Isa::PortableTiles, Precision::Fp32) => Isa::PortableWide,
            (isa, _) => isa,
        }
    }

    /// The name of the instruction set in use.
    pub fn name(&self) -> &'static str {
        self.isa().name()
    }

    /// Threads in the pool.
    pub fn threads(&self) -> usize {
        self.threads.current_num_threads()
    }

    /// A buffer of `len` values from the memory that all clones share; what it holds is unspecified. For what is kept
    /// from one call to a later one, step after step: the system is not asked for fresh zeroed pages each time.
    pub fn buffer(&self, len: usize) -> Scratch {
        self.scratch.take(len)
    }

    /// Channel panels that lie side by side in packed weights.
    pub(crate) fn panels_per_block(&self) -> usize {
        panels_per_block(self.arch.lanes())
    }

    /// Runs in the pool.
    pub(crate) fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.threads.install(work)
    }

    /// Runs on the calling thread, compiled for the instruction set.
    pub(crate) fn run<O: Operation>(&self, operation: O) -> O::Output {
        self.arch.run(operation)
    }
}

fn shared() -> &'static RwLock<Option<Cpu>> {
    static SHARED: OnceLock<RwLock<Option<Cpu>>> = OnceLock::new();
    SHARED.get_or_init(RwLock::default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for isa in Isa::ALL {
            assert_eq!(isa.name().parse(), Ok(isa));
        }
        assert!(matches!("sse9".parse::<Isa>(), Err(Error::IsaUnknown { .. })));
    }

    #[test]
    fn portable_is_always_there() {
        let cpu = Cpu::new(Isa::Portable, 3).unwrap();
        assert_eq!((cpu.name(), cpu.threads()), ("portable", 3));
    }
}
