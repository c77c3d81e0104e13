//! The forward pass.

use std::marker::PhantomData;

use super::plan::{ByPanel, ByPoint, FORWARD_TILES, Plan};
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
    outputs: ByPoint,
    /// Whether threads compute chunks of their own.
    by_chunks: bool,
    scheme: PhantomData<S>,
}

impl<'a, S: Scheme> Forward<'a, S> {
    /// Transforms the weights.
    pub(crate) fn new(
        context: &'a Context,
        geometry: &'a ConvGeometry,
        weight: LayerWeights,
        bias: Option<&[f32]>,
        relu: bool,
    ) -> Self {
        let plan = Plan::new::<S>(context, geometry, FORWARD_TILES);
        let for_threads = plan.for_threads();
        let by_chunks = for_threads.is_some();
        let plan = for_threads.unwrap_or(plan);
        let inputs = plan.by_panel(geometry.in_panels());
        Self {
            weights: Weights::forward::<S>(&plan, weight),
            bias: padded_bias(context, geometry.out_panels(), bias),
            relu,
            inputs,
            segments: inputs.segments(),
            outputs: plan.by_point(geometry.out_panels()),
            by_chunks,
            plan,
            scheme: PhantomData,
        }
    }

    /// Returns the number of images that an item of [`each_chunk`](Self::each_chunk) should have: `least`, or more, unless
    /// each thread takes a chunk.
    pub(crate) fn round_size(&self, least: usize) -> usize {
        let chunk = self.plan.chunk;
        if self.by_chunks { chunk } else { least.next_multiple_of(chunk) }
    }

    /// Returns the number of images in a chunk.
    pub(crate) fn chunk_size(&self) -> usize {
        self.plan.chunk
    }

    /// Calls `work` with every item, each a chunk of images or several, and the context for it. Either each thread takes whole
    /// items, or items run in order and threads share the stages of each.
    pub(crate) fn each_chunk<T: Send>(
        &self,
        items: impl IntoIterator<Item = T>,
        work: impl Fn(&Context, T) + Sync,
    ) {
        let context = self.plan.context;
        if self.by_chunks {
            let alone = context.alone();
            return context.each(items, |item| work(&alone, item));
        }
        items.into_iter().for_each(|item| work(context, item));
    }

    /// Computes at most a chunk of images.
    pub(crate) fn chunk(&self, context: &Context, images: &[f32], output: &mut [f32]) {
        let (plan, geometry, outputs) =
            (self.plan.within(context), self.plan.geometry, self.outputs);
        let (count, out_panels) = (images.len() / geometry.in_image(), geometry.out_panels());
        let mut transformed = context.scratch.take(geometry.in_panels() * self.inputs.panel);
        plan.transform_input::<S>(images, self.inputs, &mut transformed);
        let mut products = context.scratch.take(plan.points * outputs.point);
        let input = Input { values: &transformed, layout: self.inputs, segments: &self.segments };
        multiply(&plan, count, input, &self.weights, (&mut products, outputs, out_panels));
        let panels = output.chunks_mut(geometry.out_pixels() * PANEL).enumerate();
        context.each(panels, |(index, output)| {
            let (image, panel) = (index / out_panels, index % out_panels);
            context.run(OutputTransform {
                scheme: PhantomData::<S>,
                transformed: &products[panel * outputs.panel + image * plan.per_image * PANEL..],
                stride: outputs.point,
                tiles: plan.tiles,
                bias: &self.bias[panel * PANEL..][..PANEL],
                relu: self.relu,
                size: geometry.output,
                output,
            });
        });
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
    let layer = Forward::<S>::new(context, geometry, weight, bias, relu);
    let images = images.chunks(layer.chunk_size() * geometry.in_image());
    let output = output.chunks_mut(layer.chunk_size() * geometry.out_image());
    layer.each_chunk(images.zip(output), |context, (images, output)| {
        layer.chunk(context, images, output);
    });
}
