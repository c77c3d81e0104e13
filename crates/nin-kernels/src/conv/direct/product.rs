//! Images times the packed weights of a layer.

use crate::arch::generic::Epilogue;
use crate::context::Context;
use crate::conv::format::Format;
use crate::conv::operands::Layout;
use crate::conv::weights::LayerWeights;
use crate::conv::{fp32, tiles, words};
use crate::geometry::ConvGeometry;

/// The product of images and the weights of a layer, in the number format of the layer.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one per layer, and it is never moved")]
pub(crate) enum Product {
    Fp32(fp32::Product),
    Words(words::Product),
    Tiles(tiles::Product),
}

impl Product {
    /// Packs the weights of a forward pass.
    pub(crate) fn forward(
        context: &Context,
        geometry: &ConvGeometry,
        layout: Layout,
        weight: LayerWeights,
    ) -> Self {
        match Format::of(context, geometry, layout) {
            Format::Fp32 => Self::Fp32(fp32::Product::forward(context, geometry, layout, weight)),
            Format::Words(arch) => {
                Self::Words(words::Product::forward(context, arch, geometry, weight))
            }
            Format::Tiles(arch) => {
                Self::Tiles(tiles::Product::forward(context, arch, geometry, layout, weight))
            }
        }
    }

    /// Packs the weights of an input gradient.
    pub(crate) fn input_gradient(
        context: &Context,
        geometry: &ConvGeometry,
        layout: Layout,
        weight: &[f32],
    ) -> Self {
        match Format::of_input_gradient(context, geometry, layout) {
            Format::Fp32 => Self::Fp32(fp32::Product::input_gradient(context, geometry, weight)),
            Format::Words(arch) => {
                Self::Words(words::Product::input_gradient(context, arch, geometry, weight))
            }
            Format::Tiles(arch) => {
                Self::Tiles(tiles::Product::input_gradient(context, arch, geometry, weight))
            }
        }
    }

    /// Multiplies one image; the output is in panels.
    pub(crate) fn image(
        &self,
        context: &Context,
        image: &[f32],
        bias: &[f32],
        epilogue: Epilogue,
        output: &mut [f32],
    ) {
        match self {
            Self::Fp32(product) => product.image(context, image, bias, epilogue, output),
            Self::Words(product) => product.image(context, image, bias, epilogue, output),
            Self::Tiles(product) => product.image(context, image, bias, epilogue, output),
        }
    }
}
