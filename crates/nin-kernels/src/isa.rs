//! The instruction sets that the kernels are compiled for.

use std::fmt;

/// An instruction set that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// Plain Rust in vectors of 8 lanes. Runs everywhere.
    Portable,
    /// Plain Rust in vectors of 16 lanes: tests the register tiles of AVX-512 on any machine.
    #[doc(hidden)]
    PortableWide,
    /// Plain Rust in vectors of 4 lanes: tests the register tiles of NEON on any machine.
    #[doc(hidden)]
    PortableNarrow,
    /// As `PortableWide`, and bf16 in tiles: tests the kernels for AMX on any machine.
    #[doc(hidden)]
    PortableTiles,
    /// 128-bit SIMD of WebAssembly.
    Simd128,
    /// NEON, on 64-bit ARM.
    Neon,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F.
    Avx512,
    /// AVX-512 F, and AMX tiles for bf16.
    Amx,
}

impl Isa {
    /// All instruction sets, slowest first.
    pub const ALL: [Self; 9] = [
        Self::Portable,
        Self::PortableNarrow,
        Self::PortableWide,
        Self::PortableTiles,
        Self::Simd128,
        Self::Neon,
        Self::Avx2,
        Self::Avx512,
        Self::Amx,
    ];

    /// Returns the name, which [`FromStr`](std::str::FromStr) parses back.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::PortableNarrow => "portable-narrow",
            Self::PortableWide => "portable-wide",
            Self::PortableTiles => "portable-tiles",
            Self::Simd128 => "simd128",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Amx => "amx",
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
