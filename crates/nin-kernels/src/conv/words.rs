//! Products of bf16 operands, two in a word, summed in fp32: 1x1 layers over panels.

use std::sync::Arc;

use super::lowering::{Depth, Lowering};
use super::pack::{pack_words, pack_words_transposed};
use super::region::Region;
use super::weights::{Form, LayerWeights};
use crate::arch::Bf16Arch;
use crate::arch::generic::{Epilogue, InPairs, Multiply, Narrow, Outer, ZipPixels};
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
            lowering: Lowering::of_words(geometry.in_channels, geometry.out_pixels()),
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
            lowering: Lowering::of_words(geometry.out_channels, geometry.out_pixels()),
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
        let all = Region::all(&self.lowering, self.panels);
        self.region(&words, bias, epilogue, (&all, output.into()));
    }

    /// Rounds values to words, half as many.
    pub(crate) fn narrow(&self, values: &[f32], words: &mut [f32]) {
        self.arch.run(Narrow { values, words });
    }

    /// Multiplies a region of one image. The output, and the slice of the epilogue, start with the region.
    pub(crate) fn region(
        &self,
        words: &[f32],
        bias: &[f32],
        epilogue: Epilogue,
        (region, output): (&Region, Output),
    ) {
        let lowering = &self.lowering;
        let weight_panel = lowering.depth.len() / 2 * PANEL;
        self.arch.run(InPairs(Multiply {
            input: &words[region.input(lowering)..],
            segments: &lowering.segments,
            segment_len: lowering.segment_len,
            input_row: lowering.row,
            input_pixel: lowering.pixel,
            height: 1,
            width: region.width(lowering),
            pixel_block: lowering.pixel_block,
            weight: &self.packed[region.panels.start * weight_panel..],
            weight_panel,
            weight_entry: 0,
            bias: &bias[region.panels.start * PANEL..],
            output,
            output_panel: lowering.width * PANEL,
            panels: region.panels.len(),
            epilogue,
        }));
    }
}

/// The gradients of weight and bias.
pub(crate) struct WeightGradient {
    arch: Bf16Arch,
    geometry: ConvGeometry,
}

impl WeightGradient {
    pub(crate) fn new(arch: Bf16Arch, geometry: &ConvGeometry) -> Self {
        Self { arch, geometry: *geometry }
    }

    /// Returns the order of depths in the sums.
    pub(crate) fn depth(&self) -> Depth {
        Depth { channels: self.geometry.in_channels, lanes: PANEL, kernel: [1, 1] }
    }

    /// Adds the gradients of one image to the sums of weight and bias.
    pub(crate) fn add(
        &self,
        context: &Context,
        [image, gradient]: [&[f32]; 2],
        [sums, bias_sums]: [&mut [f32]; 2],
    ) {
        let pixels = self.geometry.out_pixels();
        let pairs_panel = pixels.div_ceil(2) * PANEL;
        let zipped = |values: &[f32], mut sums: Option<&mut [f32]>| {
            let mut words = context.scratch.take(values.len() / (pixels * PANEL) * pairs_panel);
            let panels =
                values.chunks_exact(pixels * PANEL).zip(words.chunks_exact_mut(pairs_panel));
            for (panel, (values, words)) in panels.enumerate() {
                let sums = match &mut sums {
                    Some(sums) => &mut sums[panel * PANEL..][..PANEL],
                    None => &mut [],
                };
                self.arch.run(ZipPixels { values, words, sums });
            }
            words
        };
        let (inputs, gradients) = (zipped(image, None), zipped(gradient, Some(bias_sums)));
        let panels = 0..self.geometry.in_panels();
        let segments: Vec<usize> = panels.map(|panel| panel * pairs_panel).collect();
        self.arch.run(InPairs(Outer {
            input: &inputs,
            segments: &segments,
            segment_len: PANEL,
            input_row: 0,
            input_pixel: PANEL,
            height: 1,
            width: pixels.div_ceil(2),
            gradient: &gradients,
            gradient_panel: pairs_panel,
            panels: self.geometry.out_panels(),
            sums,
            bias_sums: &mut [],
            overwrite: false,
        }));
    }
}
