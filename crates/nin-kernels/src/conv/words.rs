//! Products of bf16 operands, two in a word, summed in fp32: layers of stride one over panels.

use std::sync::Arc;

use super::lowering::{Depth, Lowering, on_canvas};
use super::operands::Layout;
use super::pack::{pack_words, pack_words_transposed};
use super::region::Region;
use super::weights::{Form, LayerWeights};
use crate::arch::Bf16Arch;
use crate::arch::generic::{
    Epilogue, InPairs, Multiply, Narrow, Outer, PAIRS, ZipNeighbours, ZipPixels, ZipWords,
    segments_per_pass,
};
use crate::context::Context;
use crate::geometry::ConvGeometry;
use crate::panels::PANEL;
use crate::scratch::Scratch;
use crate::shared::Output;

/// Images times packed weights.
#[derive(Debug)]
pub(crate) struct Product {
    arch: Bf16Arch,
    pub(super) lowering: Lowering,
    packed: Arc<Scratch>,
    pub(super) panels: usize,
}

impl Product {
    /// Packs the weights of a forward pass.
    pub(crate) fn forward(
        context: &Context,
        arch: Bf16Arch,
        geometry: &ConvGeometry,
        weight: LayerWeights,
    ) -> Self {
        let pack = |weight: &[f32]| pack_words(context, geometry, weight);
        Self {
            arch,
            lowering: Lowering::of_pairs(geometry),
            packed: weight.packed(Form::Words, pack),
            panels: geometry.out_panels(),
        }
    }

    /// Packs the weights of an input gradient.
    pub(crate) fn input_gradient(
        context: &Context,
        arch: Bf16Arch,
        geometry: &ConvGeometry,
        weight: &[f32],
    ) -> Self {
        Self {
            arch,
            lowering: Lowering::of_gradient_pairs(geometry),
            packed: Arc::new(pack_words_transposed(context, geometry, weight)),
            panels: geometry.in_panels(),
        }
    }

    /// Multiplies one image.
    pub(crate) fn image(
        &self,
        context: &Context,
        image: &[f32],
        bias: &[f32],
        epilogue: Epilogue,
        output: &mut [f32],
    ) {
        let mut words = context.scratch.take(image.len() / 2);
        self.narrow(image, &mut words);
        self.image_of_words(context, &words, bias, epilogue, output);
    }

    /// Multiplies one image that has been rounded to words.
    pub(crate) fn image_of_words(
        &self,
        context: &Context,
        words: &[f32],
        bias: &[f32],
        epilogue: Epilogue,
        output: &mut [f32],
    ) {
        let canvas = on_canvas(context, &self.lowering, words);
        let words = canvas.as_deref().unwrap_or(words);
        let all = Region::all(&self.lowering, self.panels);
        self.region(words, bias, epilogue, (&all, output.into()));
    }

    /// Multiplies one image that has been rounded to words, and rounds the ReLU of the result to words.
    pub(crate) fn words_of_words(
        &self,
        context: &Context,
        words: &[f32],
        bias: &[f32],
        output: &mut [f32],
    ) {
        let Lowering { segments, segment_len, .. } = &self.lowering;
        if segments.len() <= segments_per_pass(PANEL, *segment_len) {
            return self.image_of_words(context, words, bias, Epilogue::ReluOperand, output);
        }
        let mut values = context.scratch.take(2 * output.len());
        self.image_of_words(context, words, bias, Epilogue::Relu, &mut values);
        self.narrow(&values, output);
    }

    /// Rounds values to words, half as many.
    pub(crate) fn narrow(&self, values: &[f32], words: &mut [f32]) {
        self.arch.run(Narrow { values, words });
    }

    /// Multiplies a region of one image, which is on its canvas if it needs one. The output, and the slice of the epilogue,
    /// start with the region.
    pub(crate) fn region(
        &self,
        words: &[f32],
        bias: &[f32],
        epilogue: Epilogue,
        (region, output): (&Region, Output),
    ) {
        let lowering = &self.lowering;
        let weight_panel = lowering.depth.len() * PANEL;
        self.arch.run(InPairs(Multiply {
            input: &words[region.input(lowering)..],
            segments: &lowering.segments,
            segment_len: lowering.segment_len,
            input_row: lowering.row,
            input_pixel: lowering.pixel,
            height: region.height(lowering),
            width: region.width(lowering),
            pixel_block: lowering.pixel_block,
            weight: &self.packed[region.panels.start * weight_panel..],
            weight_panel,
            weight_entry: 0,
            bias: &bias[region.panels.start * PANEL..],
            output,
            output_panel: lowering.height * lowering.width * PANEL,
            panels: region.panels.len(),
            epilogue,
        }));
    }
}

/// An image that a layer reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Image<'a> {
    Values(&'a [f32]),
    /// Rounded to words, half as many.
    Words(&'a [f32]),
}

/// The gradients of weight and bias.
///
/// Products are summed over pairs of pixels of a row. Under the taps of a kernel pairs begin at any pixel, so those of the
/// image overlap: a word for each pixel. The last pixel of an odd row is paired with the first of the next, whose gradient
/// is zero.
pub(crate) struct WeightGradient {
    arch: Bf16Arch,
    /// Of the image in `f32`, with the segments of its words.
    lowering: Lowering,
    out_panels: usize,
    is_pointwise: bool,
}

impl WeightGradient {
    pub(crate) fn new(arch: Bf16Arch, geometry: &ConvGeometry) -> Self {
        let mut lowering = Lowering::of(geometry, Layout::Panels);
        let (is_pointwise, out_panels) = (geometry.is_pointwise(), geometry.out_panels());
        if is_pointwise {
            let pairs = geometry.out_pixels().div_ceil(2);
            lowering.segments =
                (0..geometry.in_panels()).map(|panel| panel * pairs * PANEL).collect();
        }
        Self { arch, lowering, out_panels, is_pointwise }
    }

    /// Returns the order of depths in the sums.
    pub(crate) fn depth(&self) -> Depth {
        self.lowering.depth
    }

    /// Adds the gradients of one image to the sums of weight and bias, or overwrites those of the weight.
    pub(crate) fn add(
        &self,
        context: &Context,
        (image, gradient): (Image, &[f32]),
        [sums, bias_sums]: [&mut [f32]; 2],
        overwrite: bool,
    ) {
        let lowering = &self.lowering;
        let (height, pairs) = (lowering.height, lowering.width.div_ceil(2));
        let gradients = self.zip_rows(context, gradient, bias_sums);
        let (inputs, input_pixel) = match image {
            Image::Words(words) => (self.zip_words(context, words), PANEL),
            Image::Values(image) if self.is_pointwise => {
                (self.zip_rows(context, image, &mut []), PANEL)
            }
            Image::Values(image) => {
                let canvas = on_canvas(context, lowering, image);
                let values = canvas.as_deref().unwrap_or(image);
                let mut words = context.scratch.take(values.len());
                self.arch.run(ZipNeighbours { values, words: &mut words });
                (words, 2 * PANEL)
            }
        };
        self.arch.run(InPairs(Outer {
            input: &inputs,
            segments: &lowering.segments,
            segment_len: lowering.segment_len,
            input_row: lowering.row,
            input_pixel,
            height,
            width: pairs,
            gradient: &gradients,
            gradient_panel: height * pairs * PANEL,
            panels: self.out_panels,
            sums,
            bias_sums: &mut [],
            overwrite,
        }));
    }

    /// Pairs neighbouring pixels of the rows of an image, and adds all pixels of a panel to its sums, if there are any.
    fn zip_rows(&self, context: &Context, values: &[f32], sums: &mut [f32]) -> Scratch {
        let Lowering { height, width, .. } = self.lowering;
        let pairs = width.div_ceil(2);
        let mut zipped = context.scratch.take(values.len() / width * pairs);
        let mut sums = sums.chunks_exact_mut(PANEL);
        let panels = values.chunks_exact(height * width * PANEL);
        for (values, words) in panels.zip(zipped.chunks_exact_mut(height * pairs * PANEL)) {
            let sums = sums.next().unwrap_or_default();
            let rows = values.chunks_exact(width * PANEL);
            for (values, words) in rows.zip(words.chunks_exact_mut(pairs * PANEL)) {
                self.arch.run(ZipPixels { values, words, sums });
            }
        }
        zipped
    }

    /// Pairs neighbouring pixels of an image in words, for a 1x1 layer.
    fn zip_words(&self, context: &Context, image: &[f32]) -> Scratch {
        let pixels = self.lowering.width;
        let pairs = pixels.div_ceil(2);
        let mut paired = context.scratch.take(image.len() / pixels * 2 * pairs);
        let panels = image.chunks_exact(pixels * PAIRS);
        for (pixels, words) in panels.zip(paired.chunks_exact_mut(pairs * PANEL)) {
            self.arch.run(ZipWords { pixels, words });
        }
        paired
    }
}
