//! The instruction sets. Each file implements [`Vector`](generic::Vector); the folder `generic` holds the kernels written over it.

pub(crate) mod generic;

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512bf16;
mod portable;

use crate::cpu::Isa;
use crate::error::Error;
use generic::{Bf16Operation, TilesOperation, Vector};

/// A piece of work that is compiled once for each instruction set.
pub(crate) trait Operation {
    /// What it gives back.
    type Output;

    /// The work. `#[inline(always)]` in every implementation, and so is all that it calls: an intrinsic is a function
    /// call, at a fiftieth of the speed, wherever the chain from [`Arch::run`] down to it is broken.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    unsafe fn run<V: Vector>(self) -> Self::Output;
}

/// An instruction set together with the proof that this CPU has it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arch {
    Portable,
    PortableWide,
    PortableTiles,
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
    #[cfg(target_arch = "x86_64")]
    Amx(amx::Amx),
}

impl Arch {
    /// The proof, where there is one.
    pub(crate) fn new(isa: Isa) -> Result<Self, Error> {
        let arch = match isa {
            Isa::Portable => Some(Self::Portable),
            Isa::PortableWide => Some(Self::PortableWide),
            Isa::PortableTiles => Some(Self::PortableTiles),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::Avx2::new().map(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::Avx512::new().map(Self::Avx512),
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => amx::Amx::new().map(Self::Amx),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 | Isa::Amx => None,
        };
        arch.ok_or(Error::IsaMissing { isa })
    }

    pub(crate) fn isa(self) -> Isa {
        match self {
            Self::Portable => Isa::Portable,
            Self::PortableWide => Isa::PortableWide,
            Self::PortableTiles => Isa::PortableTiles,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Isa::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Isa::Avx512,
            #[cfg(target_arch = "x86_64")]
            Self::Amx(_) => Isa::Amx,
        }
    }

    /// Values in a vector.
    pub(crate) fn lanes(self) -> usize {
        match self.isa() {
            Isa::Portable | Isa::Avx2 => 8,
            Isa::PortableWide | Isa::PortableTiles | Isa::Avx512 | Isa::Amx => 16,
        }
    }

    /// The one place where an instruction set is entered.
    pub(crate) fn run<O: Operation>(self, operation: O) -> O::Output {
        match self {
            // SAFETY: plain Rust needs nothing of the CPU.
            Self::Portable => unsafe { operation.run::<portable::F32x8>() },
            // SAFETY: as above.
            Self::PortableWide | Self::PortableTiles => unsafe {
                operation.run::<portable::F32x16>()
            },
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(proof) => proof.run(operation),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(proof) => proof.run(operation),
            #[cfg(target_arch = "x86_64")]
            Self::Amx(proof) => proof.run(operation),
        }
    }
}

/// An instruction set that multiplies words of two bf16, and faster than it multiplies `f32`, together with the proof that
/// this CPU has it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bf16Arch {
    /// For the tests: slower than fp32.
    PortableWide,
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512bf16::Avx512Bf16),
}

impl Bf16Arch {
    /// The proof beside that of the fp32 kernels, where there is one.
    pub(crate) fn of(arch: Arch) -> Option<Self> {
        match arch {
            Arch::PortableWide => Some(Self::PortableWide),
            #[cfg(target_arch = "x86_64")]
            Arch::Avx512(_) => avx512bf16::Avx512Bf16::new()
                .filter(|_| avx512bf16::is_faster_than_fp32())
                .map(Self::Avx512),
            _ => None,
        }
    }

    /// As [`Arch::run`].
    pub(crate) fn run<O: Bf16Operation>(self, operation: O) {
        match self {
            // SAFETY: plain Rust needs nothing of the CPU.
            Self::PortableWide => unsafe { operation.run::<portable::F32x16>() },
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(proof) => proof.run(operation),
        }
    }
}

/// An instruction set that multiplies tiles of bf16, together with the proof that this CPU has it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TilesArch {
    /// For the tests: slower than fp32.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Amx(amx::Amx),
}

impl TilesArch {
    /// The proof beside that of the fp32 kernels, where there is one.
    pub(crate) fn of(arch: Arch) -> Option<Self> {
        match arch {
            Arch::PortableTiles => Some(Self::Portable),
            #[cfg(target_arch = "x86_64")]
            Arch::Amx(proof) => Some(Self::Amx(proof)),
            _ => None,
        }
    }

    /// As [`Arch::run`].
    pub(crate) fn run<O: TilesOperation>(self, operation: O) {
        match self {
            // SAFETY: plain Rust needs nothing of the CPU.
            Self::Portable => unsafe { operation.run::<portable::F32x16>() },
            #[cfg(target_arch = "x86_64")]
            Self::Amx(proof) => proof.run_tiles(operation),
        }
    }
}
