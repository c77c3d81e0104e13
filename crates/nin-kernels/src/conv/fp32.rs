//! Products of fp32 operands: any kernel, stride and padding.

use std::sync::Arc;

use super::lowering::{Depth, Lowering, on_canvas};
use super::operands::Layout;
use super::pack::{pack_weight, pack_weight_transposed};
use super::region::Region;
use super::weights::{Form, LayerWeights};
use crate::arch::generic::{Epilogue, Multiply, Outer};
use crate::context::Context;
use crate::geometry::ConvGeometry;
use crate::panels::PANEL;
use crate::scratch::Scratch;
use crate::shared::Output;

/// Images times packed weights.
#[derive(Debug)]
pub(crate) struct Product {
    pub(super) lowering: Lowering,
    packed: Arc<Scratch>,
    pub(super) panels: usize,
}

impl Product {
    /// Packs the weights of a forward pass.
    pub(crate) fn forward(
        context: &Context,
        geometry: &ConvGeometry,
        layout: Layout,
        weight: LayerWeights,
    ) -> Self {
        let lowering = Lowering::of(geometry, layout);
        let pack = |weight: &[f32]| pack_weight(context, geometry, lowering.depth, weight);
        let packed = weight.packed(Form::Fp32, pack);
        Self { lowering, packed, panels: geometry.out_panels() }
    }

    /// Packs the weights of an input gradient.
    pub(crate) fn input_gradient(
        context: &Context,
        geometry: &ConvGeometry,
        weight: &[f32],
    ) -> Self {
        let lowering = Lowering::of_gradient(geometry);
        let packed = Arc::new(pack_weight_transposed(context, geometry, lowering.depth, weight));
        Self { lowering, packed, panels: geometry.in_panels() }
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
        let canvas = on_canvas(context, &self.lowering, image);
        let input = canvas.as_deref().unwrap_or(image);
        let all = Region::all(&self.lowering, self.panels);
        self.region(context, input, bias, epilogue, (&all, output.into()));
    }

    /// Multiplies a region of one image, which is on its canvas if it needs one. The output, and the slice of the epilogue,
    /// start with the region.
    pub(crate) fn region(
        &self,
        context: &Context,
        input: &[f32],
        bias: &[f32],
        epilogue: Epilogue,
        (region, output): (&Region, Output),
    ) {
        let lowering = &self.lowering;
        let weight_panel = lowering.depth.len() * PANEL;
        context.run(Multiply {
            input: &input[region.input(lowering)..],
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
        });
    }
}

/// The gradients of weight and bias.
pub(crate) struct WeightGradient {
    lowering: Lowering,
    out_panels: usize,
}

impl WeightGradient {
    pub(crate) fn new(geometry: &ConvGeometry, layout: Layout) -> Self {
        Self { lowering: Lowering::of(geometry, layout), out_panels: geometry.out_panels() }
    }

    /// Returns the order of depths in the sums.
    pub(crate) fn depth(&self) -> Depth {
        self.lowering.depth
    }

    /// Adds the gradients of one image to the sums of weight and bias, or overwrites those of the weight.
    pub(crate) fn add(
        &self,
        context: &Context,
        [image, gradient]: [&[f32]; 2],
        [sums, bias_sums]: [&mut [f32]; 2],
        overwrite: bool,
    ) {
        let lowering = &self.lowering;
        let canvas = on_canvas(context, lowering, image);
        context.run(Outer {
            input: canvas.as_deref().unwrap_or(image),
            segments: &lowering.segments,
            segment_len: lowering.segment_len,
            input_row: lowering.row,
            input_pixel: lowering.pixel,
            height: lowering.height,
            width: lowering.width,
            gradient,
            gradient_panel: lowering.height * lowering.width * PANEL,
            panels: self.out_panels,
            sums,
            bias_sums,
            overwrite,
        });
    }
}
