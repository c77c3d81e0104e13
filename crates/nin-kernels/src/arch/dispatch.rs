//! Instruction sets paired with the proof that this CPU has them.

#[cfg(target_arch = "aarch64")]
use super::neon;
use super::{Bf16Operation, Int8Operation, Operation, TilesOperation, portable, portable_int8};
#[cfg(target_arch = "x86_64")]
use super::{amx, avx2, avx2int8, avx512, avx512bf16, avx512vnni};
use crate::error::Error;
use crate::isa::Isa;

/// An instruction set, and the proof that this CPU has it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arch {
    Portable,
    PortableNarrow,
    PortableWide,
    PortableTiles,
    #[cfg(target_arch = "aarch64")]
    Neon(neon::Neon),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
    #[cfg(target_arch = "x86_64")]
    Amx(amx::Amx),
}

impl Arch {
    /// An instruction set that every CPU has.
    pub(crate) const BASELINE: Self = Self::Portable;

    /// Returns the instruction set if this CPU has it.
    ///
    /// # Errors
    /// [`Error::IsaMissing`] otherwise.
    pub(crate) fn new(isa: Isa) -> Result<Self, Error> {
        let arch = match isa {
            Isa::Simd128 => None,
            Isa::Portable => Some(Self::Portable),
            Isa::PortableNarrow => Some(Self::PortableNarrow),
            Isa::PortableWide => Some(Self::PortableWide),
            Isa::PortableTiles => Some(Self::PortableTiles),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon::Neon::new().map(Self::Neon),
            #[cfg(not(target_arch = "aarch64"))]
            Isa::Neon => None,
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
            Self::PortableNarrow => Isa::PortableNarrow,
            Self::PortableWide => Isa::PortableWide,
            Self::PortableTiles => Isa::PortableTiles,
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => Isa::Neon,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Isa::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Isa::Avx512,
            #[cfg(target_arch = "x86_64")]
            Self::Amx(_) => Isa::Amx,
        }
    }

    /// Returns the number of `f32` in a vector.
    pub(crate) fn lanes(self) -> usize {
        match self.isa() {
            Isa::PortableNarrow | Isa::Simd128 | Isa::Neon => 4,
            Isa::Portable | Isa::Avx2 => 8,
            Isa::PortableWide | Isa::PortableTiles | Isa::Avx512 | Isa::Amx => 16,
        }
    }

    /// Runs an operation, compiled for the instruction set. The only entry into [`Operation`]s.
    pub(crate) fn run<O: Operation>(self, operation: O) -> O::Output {
        match self {
            // SAFETY: plain Rust requires no CPU feature.
            Self::Portable => unsafe { operation.run::<portable::F32x8>() },
            // SAFETY: as above.
            Self::PortableNarrow => unsafe { operation.run::<portable::F32x4>() },
            // SAFETY: as above.
            Self::PortableWide | Self::PortableTiles => unsafe {
                operation.run::<portable::F32x16>()
            },
            #[cfg(target_arch = "aarch64")]
            Self::Neon(proof) => proof.run(operation),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(proof) => proof.run(operation),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(proof) => proof.run(operation),
            #[cfg(target_arch = "x86_64")]
            Self::Amx(proof) => proof.run(operation),
        }
    }
}

/// An instruction set that multiplies pairs of bf16 faster than `f32`, and the proof that this CPU has it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bf16Arch {
    /// For tests: slower than fp32.
    PortableWide,
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512bf16::Avx512Bf16),
}

impl Bf16Arch {
    /// Returns the bf16 extension of an instruction set, if it has one.
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

    /// Runs an operation, compiled for the instruction set.
    pub(crate) fn run<O: Bf16Operation>(self, operation: O) {
        match self {
            // SAFETY: plain Rust requires no CPU feature.
            Self::PortableWide => unsafe { operation.run::<portable::F32x16>() },
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(proof) => proof.run(operation),
        }
    }
}

/// An instruction set that multiplies tiles of bf16, and the proof that this CPU has it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TilesArch {
    /// For tests: slower than fp32.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Amx(amx::Amx),
}

impl TilesArch {
    /// Returns the tile extension of an instruction set, if it has one.
    pub(crate) fn of(arch: Arch) -> Option<Self> {
        match arch {
            Arch::PortableTiles => Some(Self::Portable),
            #[cfg(target_arch = "x86_64")]
            Arch::Amx(proof) => Some(Self::Amx(proof)),
            _ => None,
        }
    }

    /// Runs an operation, compiled for the instruction set.
    pub(crate) fn run<O: TilesOperation>(self, operation: O) {
        match self {
            // SAFETY: plain Rust requires no CPU feature.
            Self::Portable => unsafe { operation.run::<portable::F32x16>() },
            #[cfg(target_arch = "x86_64")]
            Self::Amx(proof) => proof.run_tiles(operation),
        }
    }
}

/// An instruction set that multiplies bytes. All have the same results.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Int8Arch {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2int8::Avx2Int8),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512vnni::Avx512Vnni),
}

impl Int8Arch {
    /// Returns the fastest one that goes with an instruction set.
    pub(crate) fn of(arch: Arch) -> Self {
        #[cfg(target_arch = "x86_64")]
        if matches!(arch, Arch::Avx512(_) | Arch::Amx(_))
            && let Some(proof) = avx512vnni::Avx512Vnni::new()
        {
            return Self::Avx512(proof);
        }
        #[cfg(target_arch = "x86_64")]
        if matches!(arch, Arch::Avx2(_) | Arch::Avx512(_) | Arch::Amx(_))
            && let Some(proof) = avx2int8::Avx2Int8::new()
        {
            return Self::Avx2(proof);
        }
        let _ = arch;
        Self::Portable
    }

    /// Returns how many channel panels are interleaved in packed weights.
    pub(crate) fn panels_per_block(self) -> usize {
        match self {
            Self::Portable => 1,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => 1,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => 2,
        }
    }

    /// Runs an operation, compiled for the instruction set.
    pub(crate) fn run<O: Int8Operation>(self, operation: O) {
        match self {
            // SAFETY: plain Rust requires no CPU feature.
            Self::Portable => unsafe { operation.run::<portable_int8::Words>() },
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(proof) => proof.run(operation),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(proof) => proof.run(operation),
        }
    }

    /// Returns all that this CPU has.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        if let Some(proof) = avx2int8::Avx2Int8::new() {
            all.extend([proof, proof.without_vnni()].map(Self::Avx2));
        }
        #[cfg(target_arch = "x86_64")]
        all.extend(avx512vnni::Avx512Vnni::new().map(Self::Avx512));
        all
    }
}
