//! The forward pass.

use rayon::prelude::*;

use super::product::Product;
use crate::arch::generic::Epilogue;
use crate::context::Context;
use crate::conv::operands::{ConvInput, Layout};
use crate::conv::pack::padded_bias;
use crate::geometry::ConvGeometry;
use crate::scratch::Scratch;

/// The forward pass of a layer, with its weights packed.
pub(crate) struct Forward<'a> {
    context: &'a Context,
    product: Product,
    bias: Scratch,
    relu: bool,
}

impl<'a> Forward<'a> {
    // Six parameters: those of the public forward pass, with the layout for the input.
    pub(crate) fn new(
        context: &'a Context,
        geometry: &ConvGeometry,
        layout: Layout,
        weight: &[f32],
        bias: Option<&[f32]>,
        relu: bool,
    ) -> Self {
        let product = Product::forward(context, geometry, layout, weight);
        let bias = padded_bias(context, geometry.out_panels(), bias);
        Self { context, product, bias, relu }
    }

    /// Computes one image.
    pub(crate) fn image(&self, image: &[f32], output: &mut [f32]) {
        let epilogue = if self.relu { Epilogue::Relu } else { Epilogue::Store };
        self.product.image(self.context, image, &self.bias, epilogue, output);
    }
}

// Seven parameters: those of the public forward pass.
pub(crate) fn forward(
    context: &Context,
    geometry: &ConvGeometry,
    input: ConvInput,
    weight: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    output: &mut [f32],
) {
    let layer = Forward::new(context, geometry, input.layout(), weight, bias, relu);
    let images = input.values();
    let work = output
        .par_chunks_mut(geometry.out_image())
        .zip(images.par_chunks(images.len() / geometry.batch));
    context.install(|| work.for_each(|(output, image)| layer.image(image, output)));
}
