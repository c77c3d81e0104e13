//! The instruction sets, and the kernels that are compiled for each of them.
//!
//! [`vector`], [`bf16`] and [`tiles`] are the traits that kernels are written over, `generic` holds the kernels, and each
//! other file implements the traits for one instruction set. [`Arch`], [`Bf16Arch`] and [`TilesArch`] pair an instruction
//! set with the proof that this CPU has it; no kernel runs without one.

mod bf16;
#[cfg(not(target_feature = "simd128"))]
mod dispatch;
pub(crate) mod generic;
mod int8;
mod tiles;
mod vector;

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2int8;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512bf16;
#[cfg(target_arch = "x86_64")]
mod avx512vnni;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(not(target_feature = "simd128"))]
mod portable;
mod portable_int8;
#[cfg(target_feature = "simd128")]
mod simd128;

pub(crate) use bf16::{Bf16, Bf16Operation};
#[cfg(not(target_feature = "simd128"))]
pub(crate) use dispatch::{Arch, Bf16Arch, Int8Arch, TilesArch};
pub(crate) use int8::{Int8, Int8Operation};
#[cfg(target_feature = "simd128")]
pub(crate) use simd128::{Arch, Bf16Arch, Int8Arch, TilesArch};
pub(crate) use tiles::{
    TILE_CHANNELS, TILE_LEN, TILE_ROWS, TILE_WORDS, TileBlock, Tiles, TilesOperation,
};
pub(crate) use vector::{Operation, Vector};
