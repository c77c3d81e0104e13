//! Convolutions with bf16 operands in tiles, summed in fp32: over panels those of stride one whose margins are narrower than
//! the kernel, over planes those whose patches are not too many. The gradient of an input in planes is fp32.

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

/// Values of an image's patches, which are laid out at once, in each thread: 32 MiB in bf16.
const LARGEST_PATCHES: usize = 1 << 24;

/// What multiplies tiles, where a convolution is to be in bf16 and lies in tiles.
pub(crate) fn tiles(cpu: &Cpu, geometry: &ConvGeometry, input: ConvInput) -> Option<TilesArch> {
    let within = |axis: usize| geometry.padding[axis] < geometry.kernel[axis];
    let lies = match input {
        ConvInput::Panels(_) => geometry.stride == [1, 1] && within(0) && within(1),
        ConvInput::Planes(_) => {
            let patch = geometry.in_channels * geometry.kernel[0] * geometry.kernel[1];
            patch.checked_mul(geometry.out_pixels()).is_some_and(|len| len <= LARGEST_PATCHES)
        }
    };
    cpu.tiles().filter(|_| lies)
}
