//! What a kernel costs: counts that follow from the sizes, not measurements.

use std::iter::Sum;
use std::ops::Add;

/// What some kernels cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Kernels launched.
    pub dispatches: u64,
    /// Workgroups of all of them.
    pub workgroups: u64,
    /// Floating-point operations that the result needs; a multiply-accumulate is two.
    pub flops: u64,
    /// Floating-point operations that are executed: those of whole tiles, and of Winograd's algorithm fewer.
    pub executed_flops: u64,
    /// Bytes read from and written to buffers, each value once: what memory has to move if caches do their part.
    pub bytes: u64,
}

/// Operations in the time of a byte: between 6 and 18 on the GPUs of the documentation, at the share of their peak that such kernels
/// reach.
const FLOPS_OF_BYTE: u64 = 16;

/// Operations in the time of a dispatch, 5 microseconds on a laptop's GPU.
const FLOPS_OF_DISPATCH: u64 = 20_000_000;

impl Cost {
    /// Returns the cost as a single number, by which algorithms are compared: in floating-point operations, if the time
    /// of arithmetic, of memory and of dispatches adds up on a laptop's GPU.
    pub fn in_flops(&self) -> u64 {
        self.executed_flops + FLOPS_OF_BYTE * self.bytes + FLOPS_OF_DISPATCH * self.dispatches
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            dispatches: self.dispatches + other.dispatches,
            workgroups: self.workgroups + other.workgroups,
            flops: self.flops + other.flops,
            executed_flops: self.executed_flops + other.executed_flops,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), Add::add)
    }
}

/// Returns the bytes of buffers of these numbers of values.
pub(crate) fn bytes(lens: &[usize]) -> u64 {
    lens.iter().map(|&len| (len * size_of::<f32>()) as u64).sum()
}
