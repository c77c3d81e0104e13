//! 128-bit SIMD of WebAssembly: vectors of 4 lanes. A module with these instructions only loads where they exist.

use std::arch::wasm32::{
    f32x4_add, f32x4_convert_u32x4, f32x4_eq, f32x4_gt, f32x4_le, f32x4_lt, f32x4_mul, f32x4_ne,
    f32x4_splat, f32x4_sub, u16x8_extend_low_u8x16, u32x4_extend_low_u16x8, v128, v128_and,
    v128_andnot, v128_bitselect, v128_load, v128_load32_zero, v128_or, v128_store,
};

use super::{Bf16Operation, Int8Operation, Operation, TilesOperation, Vector, portable_int8};
use crate::error::Error;
use crate::isa::Isa;

/// The only instruction set of such a module. Plain Rust would only make it larger.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arch(());

impl Arch {
    pub(crate) const BASELINE: Self = Self(());

    /// # Errors
    /// [`Error::IsaMissing`] for any other instruction set.
    pub(crate) fn new(isa: Isa) -> Result<Self, Error> {
        if isa == Isa::Simd128 { Ok(Self(())) } else { Err(Error::IsaMissing { isa }) }
    }

    #[allow(clippy::unused_self, reason = "there is one")]
    pub(crate) fn isa(self) -> Isa {
        Isa::Simd128
    }

    #[allow(clippy::unused_self, reason = "there is one")]
    pub(crate) fn lanes(self) -> usize {
        F32x4::LANES
    }

    #[allow(clippy::unused_self, reason = "it is the proof")]
    pub(crate) fn run<O: Operation>(self, operation: O) -> O::Output {
        // SAFETY: this file is only compiled for targets that have the instructions.
        unsafe { operation.run::<F32x4>() }
    }
}

/// Pairs of bf16: none.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bf16Arch {}

impl Bf16Arch {
    pub(crate) fn of(_: Arch) -> Option<Self> {
        None
    }

    pub(crate) fn run<O: Bf16Operation>(self, _: O) {
        match self {}
    }
}

/// Bytes, in plain Rust.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Int8Arch;

impl Int8Arch {
    pub(crate) fn of(_: Arch) -> Self {
        Self
    }

    #[allow(clippy::unused_self, reason = "there is one")]
    pub(crate) fn panels_per_block(self) -> usize {
        1
    }

    #[allow(clippy::unused_self, reason = "there is one")]
    pub(crate) fn run<O: Int8Operation>(self, operation: O) {
        // SAFETY: plain Rust requires no CPU feature.
        unsafe { operation.run::<portable_int8::Words>() }
    }
}

/// Tiles of bf16: none.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TilesArch {}

impl TilesArch {
    pub(crate) fn of(_: Arch) -> Option<Self> {
        None
    }

    pub(crate) fn run<O: TilesOperation>(self, _: O) {
        match self {}
    }
}

/// A vector of four lanes.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub(crate) struct F32x4(v128);

impl Vector for F32x4 {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self(f32x4_splat(value))
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's pointer has four readable values, at any address.
        unsafe { Self(v128_load(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's pointer has four writable values, at any address.
        unsafe { v128_store(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(f32x4_add(self.0, other.0))
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        Self(f32x4_sub(self.0, other.0))
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        Self(f32x4_mul(self.0, other.0))
    }

    // There is no fused instruction with a defined result.
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        Self(f32x4_add(f32x4_mul(self.0, factor.0), sum.0))
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        let wins = v128_or(f32x4_gt(self.0, other.0), f32x4_ne(self.0, self.0));
        Self(v128_bitselect(self.0, other.0, wins))
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // A comparison with NaN is false.
        Self(v128_andnot(self.0, f32x4_lt(self.0, f32x4_splat(0.0))))
    }

    #[inline(always)]
    unsafe fn gated_by(self, gate: Self) -> Self {
        Self(v128_andnot(self.0, f32x4_le(gate.0, f32x4_splat(0.0))))
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: four readable bytes, by the caller.
        let bytes = unsafe { v128_load32_zero(from.cast()) };
        Self(f32x4_convert_u32x4(u32x4_extend_low_u16x8(u16x8_extend_low_u8x16(bytes))))
    }

    #[inline(always)]
    unsafe fn where_equal(self, left: Self, right: Self) -> Self {
        Self(v128_and(self.0, f32x4_eq(left.0, right.0)))
    }
}
