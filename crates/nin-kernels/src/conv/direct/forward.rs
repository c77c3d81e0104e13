//! The forward pass.

use super::product::Product;
use crate::arch::generic::Epilogue;
use crate::context::Context;
use crate::conv::operands::{ConvInput, Layout};
use crate::conv::pack::padded_bias;
use crate::conv::steps::Steps;
use crate::conv::weights::LayerWeights;
use crate::conv::words;
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
        weight: LayerWeights,
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

    /// Returns the layer over images in words, if it multiplies those and has a ReLU.
    pub(crate) fn in_words(&self) -> Option<InWords<'_>> {
        match &self.product {
            Product::Words(product) if self.relu => {
                Some(InWords { context: self.context, product, bias: &self.bias })
            }
            _ => None,
        }
    }
}

/// The forward pass of a layer with ReLU over images that are rounded to words.
#[derive(Clone, Copy)]
pub(crate) struct InWords<'a> {
    context: &'a Context,
    product: &'a words::Product,
    bias: &'a [f32],
}

impl InWords<'_> {
    /// Rounds an image to words, half as many.
    pub(crate) fn narrow(&self, image: &[f32], words: &mut [f32]) {
        self.product.narrow(image, words);
    }

    /// Computes the words that the next layer reads.
    pub(crate) fn words(&self, image: &[f32], output: &mut [f32]) {
        self.product.words_of_words(self.context, image, self.bias, output);
    }

    /// Computes the output, in panels.
    pub(crate) fn values(&self, image: &[f32], output: &mut [f32]) {
        self.product.image_of_words(self.context, image, self.bias, Epilogue::Relu, output);
    }
}

/// Appends a layer with bias and ReLU to the steps of an image.
pub(crate) fn push_steps(
    steps: &mut Steps,
    geometry: &ConvGeometry,
    layout: Layout,
    weight: LayerWeights,
    bias: Option<&[f32]>,
) {
    let context = steps.context();
    let bias = padded_bias(context, geometry.out_panels(), bias);
    let len = geometry.out_image();
    match Product::forward(context, geometry, layout, weight) {
        Product::Fp32(product) => steps.push_fp32(product, bias, len),
        Product::Words(product) => steps.push_words(product, bias, len),
        Product::Tiles(product) => steps.push_tiles(product, bias, len),
    }
}

// Seven parameters: those of the public forward pass.
pub(crate) fn forward(
    context: &Context,
    geometry: &ConvGeometry,
    input: ConvInput,
    weight: LayerWeights,
    bias: Option<&[f32]>,
    relu: bool,
    output: &mut [f32],
) {
    let layer = Forward::new(context, geometry, input.layout(), weight, bias, relu);
    let images = input.values();
    let work =
        output.chunks_mut(geometry.out_image()).zip(images.chunks(images.len() / geometry.batch));
    context.each(work, |(output, image)| layer.image(image, output));
}
