//! The backward pass: the gradients of weight, bias and, if requested, input.

use std::marker::PhantomData;
use std::ops::{Deref, Range};

use super::plan::{BACKWARD_TILES, ByPanel, ByPoint, Plan};
use super::products::{Input, multiply};
use super::weights::{Weights, transform_weight_gradient};
use crate::arch::generic::winograd::{GradientTransform, InputGradientTransform, Scheme};
use crate::arch::generic::{OUTER_PIXELS, Outer};
use crate::context::Context;
use crate::conv::groups::group_slices;
use crate::conv::operands::ConvBackward;
use crate::geometry::ConvGeometry;
use crate::panels::PANEL;

/// The backward pass of a layer, for one chunk of images at a time.
pub(crate) struct Backward<'a, S> {
    plan: Plan<'a>,
    inputs: ByPanel,
    input_segments: Vec<usize>,
    gradients: ByPanel,
    gradient_segments: Vec<usize>,
    input_gradient: Option<InputGradient>,
    scheme: PhantomData<S>,
}

/// What the input gradient is computed with.
struct InputGradient {
    weights: Weights,
    layout: ByPoint,
    mask: bool,
}

/// A chunk of images.
struct Chunk<'a> {
    images: &'a [f32],
    grad_output: &'a [f32],
    output: Option<&'a [f32]>,
    grad_input: Option<&'a mut [f32]>,
    /// `[panels][images][16]`.
    bias_sums: &'a mut [f32],
}

/// The largest size of the weight gradients of all chunks, where each has its own.
const LARGEST_SUMS: usize = (16 << 20) / size_of::<f32>();

impl<'a, S: Scheme> Backward<'a, S> {
    pub(crate) fn new(
        context: &'a Context,
        geometry: &'a ConvGeometry,
        weight: &[f32],
        mask: Option<bool>,
    ) -> Self {
        let plan = Plan::new::<S>(context, geometry, BACKWARD_TILES);
        let inputs = plan.by_panel(geometry.in_panels());
        let gradients = plan.by_panel(geometry.out_panels());
        Self {
            inputs,
            input_segments: inputs.segments(),
            gradients,
            gradient_segments: gradients.segments(),
            input_gradient: mask.map(|mask| InputGradient {
                weights: Weights::input_gradient::<S>(&plan, weight),
                layout: plan.by_point(geometry.in_panels()),
                mask,
            }),
            plan,
            scheme: PhantomData,
        }
    }

    /// Returns the length of a weight gradient in the transformed domain, `[points][packed]`.
    fn sums_len(&self) -> usize {
        let geometry = self.plan.geometry;
        self.plan.points * geometry.out_panels() * PANEL * geometry.in_panels() * PANEL
    }

    /// Returns whether threads compute chunks of their own, with a weight gradient for each, to be summed in their order. The
    /// sums have the same bits as those of chunk after chunk, as long as a product forms the sum of a chunk in one piece.
    fn is_by_chunks(&self) -> bool {
        let plan = &self.plan;
        let is_in_one_piece = plan.chunk * plan.per_image <= OUTER_PIXELS;
        let is_small = plan.chunks() * self.sums_len() <= LARGEST_SUMS;
        plan.suits_a_thread() && plan.is_even() && is_in_one_piece && is_small
    }

    /// Returns the number of images of which a round of [`run`](Self::run) has a multiple, unless it has all.
    pub(crate) fn round_unit(&self) -> usize {
        if self.is_by_chunks() { self.plan.geometry.batch } else { self.plan.chunk }
    }

    /// Computes the gradients in rounds of images, whose size is a multiple of [`round_unit`](Self::round_unit) or the batch.
    /// `grad_output` returns the output gradient of each round, in order.
    pub(crate) fn run<G: Deref<Target = [f32]>>(
        &self,
        images: &[f32],
        work: ConvBackward,
        round: usize,
        mut grad_output: impl FnMut(Range<usize>) -> G,
    ) {
        let (plan, geometry, sums_len) = (&self.plan, self.plan.geometry, self.sums_len());
        let (context, batch, by_chunks) = (plan.context, geometry.batch, self.is_by_chunks());
        let (chunk, chunks) = (plan.chunk, plan.chunks());
        let (in_chunk, out_chunk) = (chunk * geometry.in_image(), chunk * geometry.out_image());
        let bias_len = geometry.out_panels() * chunk * PANEL;
        // The last chunk may have fewer images.
        let mut bias_sums = context.scratch.take_zeroed(chunks * bias_len);
        let sums_of = if by_chunks { chunks } else { 1 };
        let mut weight_sums = context.scratch.take(sums_of * sums_len);
        let mut outputs = work.output.map(|output| output.chunks(out_chunk));
        let mut parts = images
            .chunks(in_chunk)
            .zip(group_slices(work.grad_input, in_chunk, chunks))
            .zip(bias_sums.chunks_mut(bias_len));
        for start in (0..batch).step_by(round) {
            let gradient = grad_output(start..batch.min(start + round));
            let gradients = gradient.chunks(out_chunk);
            let chunks_of = gradients.zip(&mut parts).map(|(grad_output, part)| {
                let ((images, grad_input), bias_sums) = part;
                let output = outputs.as_mut().and_then(Iterator::next);
                Chunk { images, grad_output, output, grad_input, bias_sums }
            });
            if by_chunks {
                let alone = context.alone();
                // There is a single round.
                context.each(chunks_of.zip(weight_sums.chunks_mut(sums_len)), |(chunk, sums)| {
                    self.chunk(&alone, chunk, (sums, true));
                });
            } else {
                for (index, chunk) in chunks_of.enumerate() {
                    self.chunk(context, chunk, (&mut weight_sums, start + index == 0));
                }
            }
        }
        let parts: Vec<&[f32]> = weight_sums.chunks_exact(sums_len).collect();
        transform_weight_gradient::<S>(plan, &parts, work.grad_weight);
        if let Some(grad_bias) = work.grad_bias {
            for (index, bias) in grad_bias.iter_mut().enumerate() {
                let panel = bias_sums.chunks_exact(chunk * PANEL).skip(index / PANEL);
                let sums = panel.step_by(geometry.out_panels()).flatten();
                *bias = sums.skip(index % PANEL).step_by(PANEL).sum();
            }
        }
    }

    /// Computes a chunk. The weight gradient is added to `weight_sums`, or overwrites them.
    fn chunk(&self, context: &Context, chunk: Chunk, (weight_sums, overwrite): (&mut [f32], bool)) {
        let (plan, scratch) = (self.plan.within(context), &context.scratch);
        let geometry = plan.geometry;
        let count = chunk.images.len() / geometry.in_image();
        let mut transformed = scratch.take(geometry.in_panels() * self.inputs.panel);
        plan.transform_input::<S>(chunk.images, self.inputs, &mut transformed);
        let mut gradient = scratch.take(geometry.out_panels() * self.gradients.panel);
        let operands = (chunk.grad_output, chunk.output);
        self.transform_gradient(context, operands, &mut gradient, chunk.bias_sums);
        let point_len = weight_sums.len() / plan.points;
        context.each(weight_sums.chunks_mut(point_len).enumerate(), |(point, sums)| {
            context.run(Outer {
                input: &transformed[point * self.inputs.point..],
                segments: &self.input_segments,
                segment_len: PANEL,
                input_row: 0,
                input_pixel: PANEL,
                height: 1,
                width: count * plan.per_image,
                gradient: &gradient[point * self.gradients.point..],
                gradient_panel: self.gradients.panel,
                panels: geometry.out_panels(),
                sums,
                bias_sums: &mut [],
                overwrite,
            });
        });
        drop(transformed);
        if let Some((layer, grad_input)) = self.input_gradient.as_ref().zip(chunk.grad_input) {
            self.input_gradient(context, layer, &gradient, chunk.images, grad_input);
        }
    }

    /// Transforms the output gradient of a chunk, and sums it for the bias.
    fn transform_gradient(
        &self,
        context: &Context,
        (grad_output, output): (&[f32], Option<&[f32]>),
        transformed: &mut [f32],
        sums: &mut [f32],
    ) {
        let (plan, geometry, layout) = (&self.plan, self.plan.geometry, self.gradients);
        let (out_panels, plane) = (geometry.out_panels(), geometry.out_pixels() * PANEL);
        let sums = sums.chunks_mut(plan.chunk * PANEL);
        let panels = transformed.chunks_mut(layout.panel).zip(sums).enumerate();
        context.each(panels, |(panel, (transformed, sums))| {
            for (image, gradient) in grad_output.chunks_exact(out_panels * plane).enumerate() {
                let at = (image * out_panels + panel) * plane;
                context.run(GradientTransform {
                    scheme: PhantomData::<S>,
                    gradient: &gradient[panel * plane..][..plane],
                    gate: output.map_or(&[], |output| &output[at..at + plane]),
                    size: geometry.output,
                    tiles: plan.tiles,
                    transformed: &mut transformed[image * plan.per_image * PANEL..],
                    stride: layout.point,
                    sums: &mut sums[image * PANEL..][..PANEL],
                });
            }
        });
    }

    /// Computes the input gradient of a chunk from its transformed output gradient.
    fn input_gradient(
        &self,
        context: &Context,
        layer: &InputGradient,
        gradient: &[f32],
        images: &[f32],
        grad_input: &mut [f32],
    ) {
        let (plan, geometry, layout) =
            (self.plan.within(context), self.plan.geometry, layer.layout);
        let (count, in_panels) = (images.len() / geometry.in_image(), geometry.in_panels());
        let input =
            Input { values: gradient, layout: self.gradients, segments: &self.gradient_segments };
        let mut products = context.scratch.take(plan.points * layout.point);
        multiply(&plan, count, input, &layer.weights, (&mut products, layout, in_panels));
        let plane = geometry.in_pixels() * PANEL;
        let (canvas, size) = plan.canvas();
        context.each(grad_input.chunks_mut(plane).enumerate(), |(index, grad_input)| {
            let (image, panel) = (index / in_panels, index % in_panels);
            let mut copy = context.scratch.take(canvas.len());
            context.run(InputGradientTransform {
                scheme: PhantomData::<S>,
                transformed: &products[panel * layout.panel + image * plan.per_image * PANEL..],
                stride: layout.point,
                tiles: plan.tiles,
                canvas: &mut copy,
            });
            let gate = if layer.mask { &images[index * plane..(index + 1) * plane] } else { &[] };
            cut_out(geometry, size, &copy, gate, grad_input);
        });
    }
}

pub(crate) fn backward<S: Scheme>(
    context: &Context,
    geometry: &ConvGeometry,
    images: &[f32],
    work: ConvBackward,
) {
    let mask = work.grad_input.is_some().then_some(work.mask_grad_input);
    let (layer, grad_output) =
        (Backward::<S>::new(context, geometry, work.weight, mask), work.grad_output);
    layer.run(images, work, geometry.batch, |_| grad_output);
}

/// Copies the image out of the middle of its canvas; zero where `gate` is not empty and not positive.
fn cut_out(
    geometry: &ConvGeometry,
    size: [usize; 2],
    canvas: &[f32],
    gate: &[f32],
    image: &mut [f32],
) {
    let row_len = geometry.input[1] * PANEL;
    for (row, values) in image.chunks_exact_mut(row_len).enumerate() {
        let at = ((row + geometry.padding[0]) * size[1] + geometry.padding[1]) * PANEL;
        let from = &canvas[at..at + row_len];
        if gate.is_empty() {
            values.copy_from_slice(from);
            continue;
        }
        for ((value, &from), &gate) in values.iter_mut().zip(from).zip(&gate[row * row_len..]) {
            *value = if gate <= 0.0 { 0.0 } else { from };
        }
    }
}
