//! The products of a chunk, point by point of the transformed domain.

use super::plan::{ByPanel, ByPoint, Plan};
use super::weights::Weights;
use crate::arch::generic::{Epilogue, Multiply};
use crate::conv::lowering::pixel_block;
use crate::panels::PANEL;

/// A transformed chunk of images, and where its panels start.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) values: &'a [f32],
    pub(super) layout: ByPanel,
    pub(super) segments: &'a [usize],
}

/// Multiplies a transformed chunk of `images` images and the weights of each point. `products` are `panels` panels.
pub(super) fn multiply(
    plan: &Plan,
    images: usize,
    input: Input,
    weights: &Weights,
    (products, layout, panels): (&mut [f32], ByPoint, usize),
) {
    plan.context.each(products.chunks_mut(layout.point).enumerate(), |(point, products)| {
        multiply_point(plan, images, input, weights, (point, products, layout, panels));
    });
}

/// Multiplies one point of the transformed domain.
pub(super) fn multiply_point(
    plan: &Plan,
    images: usize,
    input: Input,
    weights: &Weights,
    (point, products, layout, panels): (usize, &mut [f32], ByPoint, usize),
) {
    plan.context.run(Multiply {
        input: &input.values[point * input.layout.point..],
        segments: input.segments,
        segment_len: PANEL,
        input_row: 0,
        input_pixel: PANEL,
        height: 1,
        width: images * plan.per_image,
        pixel_block: pixel_block(input.layout.panels * PANEL),
        weight: &weights.packed,
        weight_panel: weights.panel,
        weight_entry: point * input.layout.panels * PANEL,
        bias: &weights.no_bias,
        output: products.into(),
        output_panel: layout.panel,
        panels,
        epilogue: Epilogue::Store,
    });
}
