//! The forward pass.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::plan::{ByPanel, ByPoint, Plan};
use super::products::{Input, multiply};
use super::weights::Weights;
use crate::arch::generic::winograd::{OutputTransform, Scheme};
use crate::context::Context;
use crate::conv::pack::padded_bias;
use crate::conv::weights::LayerWeights;
use crate::geometry::ConvGeometry;
use crate::panels::PANEL;
use crate::scratch::Scratch;

/// The forward pass of a layer, for one chunk of images at a time.
pub(crate) struct Forward<'a, S> {
    plan: Plan<'a>,
    weights: Weights,
    bias: Scratch,
    relu: bool,
    inputs: ByPanel,
    segments: Vec<usize>,
    transformed: Scratch,
    outputs: ByPoint,
    products: Scratch,
    scheme: PhantomData<S>,
}

impl<'a, S: Scheme> Forward<'a, S> {
    /// Transforms the weights. Call it in the thread pool.
    pub(crate) fn new(
        context: &'a Context,
        geometry: &'a ConvGeometry,
        weight: LayerWeights,
        bias: Option<&[f32]>,
        relu: bool,
    ) -> Self {
        let plan = Plan::new::<S>(context, geometry);
        let inputs = plan.by_panel(geometry.in_panels());
        let outputs = plan.by_point(geometry.out_panels());
        Self {
            weights: Weights::forward::<S>(&plan, weight),
            bias: padded_bias(context, geometry.out_panels(), bias),
            relu,
            inputs,
            segments: inputs.segments(),
            transformed: context.scratch.take(geometry.in_panels() * inputs.panel),
            outputs,
            products: context.scratch.take(plan.points * outputs.point),
            plan,
            scheme: PhantomData,
        }
    }

    /// Returns the number of images in a chunk.
    pub(crate) fn chunk_size(&self) -> usize {
        self.plan.chunk
    }

    /// Computes at most a chunk of images. Call it in the thread pool.
    pub(crate) fn chunk(&mut self, images: &[f32], output: &mut [f32]) {
        let (plan, geometry, outputs) = (&self.plan, self.plan.geometry, self.outputs);
        let (count, out_panels) = (images.len() / geometry.in_image(), geometry.out_panels());
        plan.transform_input::<S>(images, self.inputs, &mut self.transformed);
        let input =
            Input { values: &self.transformed, layout: self.inputs, segments: &self.segments };
        multiply(plan, count, input, &self.weights, (&mut self.products, outputs, out_panels));
        output.par_chunks_mut(geometry.out_pixels() * PANEL).enumerate().for_each(
            |(index, output)| {
                let (image, panel) = (index / out_panels, index % out_panels);
                plan.context.run(OutputTransform {
                    scheme: PhantomData::<S>,
                    transformed: &self.products
                        [panel * outputs.panel + image * plan.per_image * PANEL..],
                    stride: outputs.point,
                    tiles: plan.tiles,
                    bias: &self.bias[panel * PANEL..][..PANEL],
                    relu: self.relu,
                    size: geometry.output,
                    output,
                });
            },
        );
    }
}

pub(crate) fn forward<S: Scheme>(
    context: &Context,
    geometry: &ConvGeometry,
    images: &[f32],
    weight: LayerWeights,
    bias: Option<&[f32]>,
    relu: bool,
    output: &mut [f32],
) {
    context.install(|| {
        let mut layer = Forward::<S>::new(context, geometry, weight, bias, relu);
        let images = images.chunks(layer.chunk_size() * geometry.in_image());
        let output = output.chunks_mut(layer.chunk_size() * geometry.out_image());
        images.zip(output).for_each(|(images, output)| layer.chunk(images, output));
    });
}
