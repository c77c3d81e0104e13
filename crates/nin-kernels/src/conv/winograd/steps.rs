//! The forward pass on one image, as steps that threads share.

use std::fmt::{self, Debug, Formatter};
use std::marker::PhantomData;
use std::sync::Arc;

use super::plan::{ByPanel, ByPoint, FORWARD_TILES, Plan};
use super::products::{Input, multiply_point};
use super::weights::Weights;
use crate::arch::generic::winograd::{OutputTransform, Scheme};
use crate::context::Context;
use crate::conv::pack::padded_bias;
use crate::conv::steps::Steps;
use crate::conv::weights::LayerWeights;
use crate::geometry::ConvGeometry;
use crate::panels::PANEL;
use crate::scratch::Scratch;
use crate::shared::Shared;
use crate::team::Step;

/// A layer with its weights transformed.
struct Layer<S> {
    context: Context,
    geometry: ConvGeometry,
    weights: Weights,
    bias: Scratch,
    inputs: ByPanel,
    segments: Vec<usize>,
    outputs: ByPoint,
    scheme: PhantomData<S>,
}

impl<S: Scheme> Layer<S> {
    fn plan(&self) -> Plan<'_> {
        Plan::new::<S>(&self.context, &self.geometry, FORWARD_TILES)
    }
}

/// One stage of a layer.
struct Stage<S, K> {
    layer: Arc<Layer<S>>,
    /// Panels or points of each part.
    ranges: Vec<(usize, usize)>,
    from: Arc<Shared>,
    to: Arc<Shared>,
    kind: PhantomData<K>,
}

impl<S, K> Debug for Stage<S, K> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stage").field("ranges", &self.ranges).finish_non_exhaustive()
    }
}

struct Transforms;
struct Products;
struct Outputs;

impl<S: Scheme> Step for Stage<S, Transforms> {
    fn parts(&self) -> usize {
        self.ranges.len()
    }

    unsafe fn run(&self, part: usize) {
        let (layer, (first, count)) = (&self.layer, self.ranges[part]);
        let (plan, layout) = (layer.plan(), layer.inputs);
        for panel in first..first + count {
            // SAFETY: this step writes the transformed image, each part its own panels; nothing writes the image.
            unsafe {
                let transformed = self.to.part(panel * layout.panel, layout.panel);
                plan.transform_panel::<S>(panel, self.from.values(), layout, transformed);
            }
        }
    }
}

impl<S: Scheme> Step for Stage<S, Products> {
    fn parts(&self) -> usize {
        self.ranges.len()
    }

    unsafe fn run(&self, part: usize) {
        let (layer, (first, count)) = (&self.layer, self.ranges[part]);
        let (plan, layout, panels) = (layer.plan(), layer.outputs, layer.geometry.out_panels());
        for point in first..first + count {
            // SAFETY: this step writes the products, each part its own points; nothing writes the transformed image.
            let (values, products) =
                unsafe { (self.from.values(), self.to.part(point * layout.point, layout.point)) };
            let input = Input { values, layout: layer.inputs, segments: &layer.segments };
            multiply_point(&plan, 1, input, &layer.weights, (point, products, layout, panels));
        }
    }
}

impl<S: Scheme> Step for Stage<S, Outputs> {
    fn parts(&self) -> usize {
        self.ranges.len()
    }

    unsafe fn run(&self, part: usize) {
        let (layer, (first, count)) = (&self.layer, self.ranges[part]);
        let plane = layer.geometry.out_pixels() * PANEL;
        for panel in first..first + count {
            // SAFETY: this step writes the output, each part its own panels; nothing writes the products.
            let (products, output) =
                unsafe { (self.from.values(), self.to.part(panel * plane, plane)) };
            layer.context.run(OutputTransform {
                scheme: PhantomData::<S>,
                transformed: &products[panel * layer.outputs.panel..],
                stride: layer.outputs.point,
                tiles: layer.plan().tiles,
                bias: &layer.bias[panel * PANEL..][..PANEL],
                relu: true,
                size: layer.geometry.output,
                output,
            });
        }
    }
}

/// Appends the layer.
pub(crate) fn push_steps<S: Scheme>(
    steps: &mut Steps,
    geometry: &ConvGeometry,
    weight: LayerWeights,
    bias: Option<&[f32]>,
) {
    let context = steps.context();
    let plan = Plan::new::<S>(context, geometry, FORWARD_TILES);
    let (in_panels, out_panels) = (geometry.in_panels(), geometry.out_panels());
    let (inputs, outputs) = (plan.by_panel(in_panels), plan.by_point(out_panels));
    let layer = Arc::new(Layer::<S> {
        context: context.clone(),
        geometry: *geometry,
        weights: Weights::forward::<S>(&plan, weight),
        bias: padded_bias(context, out_panels, bias),
        inputs,
        segments: inputs.segments(),
        outputs,
        scheme: PhantomData,
    });
    push::<S, Transforms>(steps, &layer, in_panels, in_panels * inputs.panel);
    push::<S, Products>(steps, &layer, plan.points, plan.points * outputs.point);
    push::<S, Outputs>(steps, &layer, out_panels, geometry.out_image());
}

fn push<S: Scheme, K: Send + Sync + 'static>(
    steps: &mut Steps,
    layer: &Arc<Layer<S>>,
    total: usize,
    len: usize,
) where
    Stage<S, K>: Step,
{
    steps.push(len, |steps, from, to| Stage::<S, K> {
        layer: Arc::clone(layer),
        ranges: steps.ranges(total),
        from,
        to,
        kind: PhantomData,
    });
}
