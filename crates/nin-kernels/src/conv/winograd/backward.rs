//! The backward pass: the gradients of weight, bias and, if requested, input.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::plan::{ByPanel, ByPoint, Plan};
use super::products::{Input, multiply};
use super::weights::{Weights, transform_weight_gradient};
use crate::arch::generic::Outer;
use crate::arch::generic::winograd::{GradientTransform, InputGradientTransform, Scheme};
use crate::context::Context;
use crate::conv::operands::ConvBackward;
use crate::geometry::ConvGeometry;
use crate::panels::PANEL;
use crate::scratch::Scratch;

/// The backward pass of a layer, for one chunk of images at a time.
struct Backward<'a, S> {
    plan: Plan<'a>,
    inputs: ByPanel,
    input_segments: Vec<usize>,
    transformed: Scratch,
    gradients: ByPanel,
    gradient_segments: Vec<usize>,
    gradient: Scratch,
    /// `[points][packed]`.
    weight_sums: Scratch,
    /// `[panels][images][16]`.
    bias_sums: Scratch,
    scheme: PhantomData<S>,
}

/// The transposed weights and the products of the input gradient.
struct InputGradient {
    weights: Weights,
    layout: ByPoint,
    products: Scratch,
}

impl<'a, S: Scheme> Backward<'a, S> {
    fn new(context: &'a Context, geometry: &'a ConvGeometry) -> Self {
        let plan = Plan::new::<S>(context, geometry);
        let (in_panels, out_panels) = (geometry.in_panels(), geometry.out_panels());
        let (inputs, gradients) = (plan.by_panel(in_panels), plan.by_panel(out_panels));
        Self {
            inputs,
            input_segments: inputs.segments(),
            transformed: context.scratch.take(in_panels * inputs.panel),
            gradients,
            gradient_segments: gradients.segments(),
            gradient: context.scratch.take(out_panels * gradients.panel),
            weight_sums: context.scratch.take(plan.points * out_panels * PANEL * in_panels * PANEL),
            bias_sums: context.scratch.take(out_panels * geometry.batch * PANEL),
            plan,
            scheme: PhantomData,
        }
    }

    /// Transforms the output gradient of `count` images from `first` on, and sums it for the bias.
    fn transform_gradient(
        &mut self,
        first: usize,
        count: usize,
        grad_output: &[f32],
        output: Option<&[f32]>,
    ) {
        let (plan, geometry, layout) = (&self.plan, self.plan.geometry, self.gradients);
        let (out_panels, plane) = (geometry.out_panels(), geometry.out_pixels() * PANEL);
        let sums = self.bias_sums.par_chunks_mut(geometry.batch * PANEL);
        let panels = self.gradient.par_chunks_mut(layout.panel).zip(sums).enumerate();
        panels.for_each(|(panel, (transformed, sums))| {
            for image in 0..count {
                let at = ((first + image) * out_panels + panel) * plane;
                plan.context.run(GradientTransform {
                    scheme: PhantomData::<S>,
                    gradient: &grad_output[at..at + plane],
                    gate: output.map_or(&[], |output| &output[at..at + plane]),
                    size: geometry.output,
                    tiles: plan.tiles,
                    transformed: &mut transformed[image * plan.per_image * PANEL..],
                    stride: layout.point,
                    sums: &mut sums[(first + image) * PANEL..][..PANEL],
                });
            }
        });
    }

    /// Adds the weight gradient of `count` images, both operands of which are transformed. The first chunk overwrites the
    /// sums.
    fn add_weight_gradient(&mut self, count: usize, is_first: bool) {
        let plan = &self.plan;
        let point_len = self.weight_sums.len() / plan.points;
        self.weight_sums.par_chunks_mut(point_len).enumerate().for_each(|(point, sums)| {
            plan.context.run(Outer {
                input: &self.transformed[point * self.inputs.point..],
                segments: &self.input_segments,
                segment_len: PANEL,
                input_row: 0,
                input_pixel: PANEL,
                height: 1,
                width: count * plan.per_image,
                gradient: &self.gradient[point * self.gradients.point..],
                gradient_panel: self.gradients.panel,
                panels: plan.geometry.out_panels(),
                sums,
                bias_sums: &mut [],
                overwrite: is_first,
            });
        });
    }

    /// Computes the input gradient of a chunk, masked by `images` if `mask` is set.
    fn input_gradient(
        &self,
        work: &mut InputGradient,
        images: &[f32],
        mask: bool,
        grad_input: &mut [f32],
    ) {
        let (plan, geometry, layout) = (&self.plan, self.plan.geometry, work.layout);
        let (count, in_panels) = (images.len() / geometry.in_image(), geometry.in_panels());
        let input = Input {
            values: &self.gradient,
            layout: self.gradients,
            segments: &self.gradient_segments,
        };
        multiply(plan, count, input, &work.weights, (&mut work.products, layout, in_panels));
        let plane = geometry.in_pixels() * PANEL;
        let (canvas, size) = plan.canvas();
        grad_input.par_chunks_mut(plane).enumerate().for_each(|(index, grad_input)| {
            let (image, panel) = (index / in_panels, index % in_panels);
            let mut copy = plan.context.scratch.take(canvas.len());
            plan.context.run(InputGradientTransform {
                scheme: PhantomData::<S>,
                transformed: &work.products
                    [panel * layout.panel + image * plan.per_image * PANEL..],
                stride: layout.point,
                tiles: plan.tiles,
                canvas: &mut copy,
            });
            let gate = if mask { &images[index * plane..(index + 1) * plane] } else { &[] };
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
    context.install(|| {
        let mut layer = Backward::<S>::new(context, geometry);
        let (chunk, image_len) = (layer.plan.chunk, geometry.in_image());
        let mut grad_input = work.grad_input.map(|grad_input| {
            let layout = layer.plan.by_point(geometry.in_panels());
            let products = context.scratch.take(layer.plan.points * layout.point);
            let weights = Weights::input_gradient::<S>(&layer.plan, work.weight);
            (InputGradient { weights, layout, products }, grad_input.chunks_mut(chunk * image_len))
        });
        for (index, images) in images.chunks(chunk * image_len).enumerate() {
            let count = images.len() / image_len;
            layer.plan.transform_input::<S>(images, layer.inputs, &mut layer.transformed);
            layer.transform_gradient(index * chunk, count, work.grad_output, work.output);
            layer.add_weight_gradient(count, index == 0);
            if let Some((transposed, chunks)) = &mut grad_input
                && let Some(grad_input) = chunks.next()
            {
                layer.input_gradient(transposed, images, work.mask_grad_input, grad_input);
            }
        }
        transform_weight_gradient::<S>(&layer.plan, &layer.weight_sums, work.grad_weight);
        if let Some(grad_bias) = work.grad_bias {
            for (index, bias) in grad_bias.iter_mut().enumerate() {
                let sums = &layer.bias_sums[index / PANEL * geometry.batch * PANEL..]
                    [..geometry.batch * PANEL];
                *bias = sums.iter().skip(index % PANEL).step_by(PANEL).sum();
            }
        }
    });
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
