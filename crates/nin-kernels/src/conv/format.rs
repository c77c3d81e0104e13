//! The number format in which the direct algorithm multiplies.

use super::operands::Layout;
use crate::arch::{Bf16Arch, TilesArch};
use crate::context::Context;
use crate::geometry::ConvGeometry;

/// The largest number of values in the patches of an image, which each thread holds at once: 32 MiB in bf16.
const LARGEST_PATCHES: usize = 1 << 24;

/// The number format of the operands of a product. Sums are fp32 in all of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Format {
    /// 32-bit floats.
    Fp32,
    /// bf16, two in a word: layers of stride one over panels, except those that Winograd's algorithm has a scheme for.
    Words(Bf16Arch),
    /// bf16 in tiles: over panels, layers of stride one whose padding is narrower than the kernel; over planes, layers
    /// whose patches are not too large.
    Tiles(TilesArch),
}

impl Format {
    /// Returns the format of the forward pass and of the weight gradient.
    pub(crate) fn of(context: &Context, geometry: &ConvGeometry, layout: Layout) -> Self {
        if let Some(arch) = context.tiles().filter(|_| fits_tiles(geometry, layout)) {
            return Self::Tiles(arch);
        }
        match context.bf16() {
            Some(arch) if fits_words(geometry, layout) => Self::Words(arch),
            _ => Self::Fp32,
        }
    }

    /// Returns the format of the input gradient, which is fp32 over planes.
    pub(crate) fn of_input_gradient(
        context: &Context,
        geometry: &ConvGeometry,
        layout: Layout,
    ) -> Self {
        match layout {
            Layout::Panels => Self::of(context, geometry, layout),
            Layout::Planes => Self::Fp32,
        }
    }
}

/// Returns whether a convolution is multiplied in words. Those that Winograd's algorithm has a scheme for never are: it depends
/// on the number of images whether that is faster, and the format of a layer must not.
fn fits_words(geometry: &ConvGeometry, layout: Layout) -> bool {
    let has_scheme = geometry.kernel == [3, 3] || geometry.kernel == [5, 5];
    layout == Layout::Panels && geometry.stride == [1, 1] && !has_scheme
}

/// Returns whether the operands of a convolution can be laid out in tiles.
fn fits_tiles(geometry: &ConvGeometry, layout: Layout) -> bool {
    let is_within = |axis: usize| geometry.padding[axis] < geometry.kernel[axis];
    match layout {
        Layout::Panels => geometry.stride == [1, 1] && is_within(0) && is_within(1),
        Layout::Planes => {
            let patch = geometry.in_channels * geometry.kernel[0] * geometry.kernel[1];
            patch.checked_mul(geometry.out_pixels()).is_some_and(|len| len <= LARGEST_PATCHES)
        }
    }
}
