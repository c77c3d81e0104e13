//! Products of fp32 operands: any kernel, stride and padding.

use super::lowering::{Depth, Lowering};
use super::operands::Layout;
use super::pack::{pack_weight, pack_weight_transposed};
use crate::arch::generic::{Epilogue, Multiply, Outer};
use crate::context::Context;
use crate::geometry::ConvGeometry;
use crate::panels::PANEL;
use crate::scratch::Scratch;

/// Images times packed weights.
pub(crate) struct Product {
    lowering: Lowering,
    packed: Scratch,
    panels: usize,
}

impl Product {
    /// Packs the weights of a forward pass.
    pub(crate) fn forward(
        context: &Context,
        geometry: &ConvGeometry,
        layout: Layout,
        weight: &[f32],
    ) -> Self {
        let lowering = Lowering::of(geometry, layout);
        let packed = pack_weight(context, geometry, lowering.depth, weight);
        Self { lowering, packed, panels: geometry.out_panels() }
    }

    /// Packs the weights of an input gradient.
    pub(crate) fn input_gradient(
        context: &Context,
        geometry: &ConvGeometry,
        weight: &[f32],
    ) -> Self {
        let lowering = Lowering::of_gradient(geometry);
        let packed = pack_weight_transposed(context, geometry, lowering.depth, weight);
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
        let Self { lowering, packed, panels } = self;
        let canvas = on_canvas(context, lowering, image);
        context.run(Multiply {
            input: canvas.as_deref().unwrap_or(image),
            segments: &lowering.segments,
            segment_len: lowering.segment_len,
            input_row: lowering.row,
            input_pixel: lowering.pixel,
            height: lowering.height,
            width: lowering.width,
            pixel_block: lowering.pixel_block,
            weight: packed,
            weight_panel: lowering.depth.len() * PANEL,
            weight_entry: 0,
            bias,
            output,
            output_panel: lowering.height * lowering.width * PANEL,
            panels: *panels,
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

    /// Adds the gradients of one image to the sums of weight and bias.
    pub(crate) fn add(
        &self,
        context: &Context,
        [image, gradient]: [&[f32]; 2],
        [sums, bias_sums]: [&mut [f32]; 2],
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
            overwrite: false,
        });
    }
}

/// Copies an image onto its canvas, if it needs one.
fn on_canvas(context: &Context, lowering: &Lowering, image: &[f32]) -> Option<Scratch> {
    lowering.canvas.map(|canvas| {
        let mut copy = context.scratch.take(canvas.len());
        canvas.fill(image, &mut copy);
        copy
    })
}
