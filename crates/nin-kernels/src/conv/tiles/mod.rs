//! Convolutions with bf16 operands in tiles, summed in fp32: over panels those of stride one, over planes all.

mod gradients;
mod input;
mod product;
mod walk;

pub(crate) use gradients::{Gradients, Pending};
pub(crate) use product::{Backward, Forward};

use super::ConvInput;
use crate::arch::TilesArch;
use crate::cpu::Cpu;
use crate::geometry::ConvGeometry;

/// What multiplies tiles, where a convolution is to be in bf16 and lies in tiles.
pub(crate) fn tiles(cpu: &Cpu, geometry: &ConvGeometry, input: ConvInput) -> Option<TilesArch> {
    let within = |axis: usize| geometry.padding[axis] < geometry.kernel[axis];
    let lies = match input {
        ConvInput::Panels(_) => geometry.stride == [1, 1] && within(0) && within(1),
        ConvInput::Planes(_) => true,
    };
    cpu.tiles().filter(|_| lies)
}
