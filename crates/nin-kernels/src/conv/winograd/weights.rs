//! The transform of the weights, packed for the products, and of their gradient.

use std::marker::PhantomData;
use std::sync::Arc;

use super::plan::Plan;
use crate::arch::generic::winograd::{
    LARGEST_KERNEL, LARGEST_TILE, Scheme, WeightGradientTransform, WeightTransform,
};
use crate::conv::pack::padded_bias;
use crate::conv::weights::{Form, LayerWeights};
use crate::panels::PANEL;
use crate::scratch::Scratch;

/// Transformed weights, `[blocks of one or two panels][points][depth][16 or 32]`.
pub(super) struct Weights {
    pub(super) packed: Arc<Scratch>,
    pub(super) panel: usize,
    pub(super) no_bias: Scratch,
}

impl Weights {
    /// Returns the transformed weights of a forward pass.
    pub(super) fn forward<S: Scheme>(plan: &Plan, weight: LayerWeights) -> Self {
        let transform = |weight: &[f32]| transform_weight::<S>(plan, weight, false);
        Self::new(plan, weight.packed(Form::Winograd, transform), false)
    }

    /// Transforms the weights for the input gradient.
    pub(super) fn input_gradient<S: Scheme>(plan: &Plan, weight: &[f32]) -> Self {
        Self::new(plan, Arc::new(transform_weight::<S>(plan, weight, true)), true)
    }

    fn new(plan: &Plan, packed: Arc<Scratch>, transposed: bool) -> Self {
        let [panels, depth_panels] = panels(plan, transposed);
        let panel = plan.points * depth_panels * PANEL * PANEL;
        Self { packed, panel, no_bias: padded_bias(plan.context, panels, None) }
    }
}

/// Returns the panels of a product and those of its depth. `transposed` for the input gradient, where outputs are the
/// depth.
fn panels(plan: &Plan, transposed: bool) -> [usize; 2] {
    let (inputs, outputs) = (plan.geometry.in_panels(), plan.geometry.out_panels());
    if transposed { [inputs, outputs] } else { [outputs, inputs] }
}

/// Neighbouring depths that pass together. Points are large powers of two apart, in few sets of the cache, so that one depth
/// at a time would go to memory line by line.
const TOGETHER: usize = 4;

/// Transforms the weights.
fn transform_weight<S: Scheme>(plan: &Plan, weight: &[f32], transposed: bool) -> Scratch {
    let (geometry, context) = (plan.geometry, plan.context);
    let [panels, depth_panels] = panels(plan, transposed);
    let (taps, depth) = (plan.kernel * plan.kernel, depth_panels * PANEL);
    let panel = plan.points * depth * PANEL;
    let mut packed = context.scratch.take(panels * panel);
    let per_block = context.panels_per_block();
    let at = |entry: usize, column: usize| {
        let (out, channel) = if transposed { (entry, column) } else { (column, entry) };
        let exists = out < geometry.out_channels && channel < geometry.in_channels;
        exists.then(|| (out * geometry.in_channels + channel) * taps)
    };
    context.each(packed.chunks_mut(per_block * panel).enumerate(), |(block, packed)| {
        let width = packed.len() / (plan.points * depth);
        let run = TOGETHER * width;
        let mut together = context.scratch.take(plan.points * run);
        let mut kernels = [0.0; LARGEST_KERNEL * LARGEST_KERNEL * PANEL];
        let mut transformed = [0.0; LARGEST_TILE * LARGEST_TILE * PANEL];
        for first in (0..depth).step_by(TOGETHER) {
            for (column, entry) in (0..run).step_by(PANEL).map(|at| (at % width, at / width)) {
                for lane in 0..PANEL {
                    let at = at(first + entry, block * per_block * PANEL + column + lane);
                    let kernel = at.map_or(&[][..], |at| &weight[at..at + taps]);
                    for tap in 0..taps {
                        kernels[tap * PANEL + lane] = kernel.get(tap).copied().unwrap_or(0.0);
                    }
                }
                context.run(WeightTransform {
                    scheme: PhantomData::<S>,
                    kernels: &kernels,
                    transformed: &mut transformed,
                });
                let runs = together.chunks_exact_mut(run);
                for (run, values) in runs.zip(transformed.chunks_exact(PANEL)) {
                    run[entry * width + column..][..PANEL].copy_from_slice(values);
                }
            }
            for (point, values) in together.chunks_exact(run).enumerate() {
                packed[(point * depth + first) * width..][..run].copy_from_slice(values);
            }
        }
    });
    packed
}

/// Transforms the gradient of the weights back, from the sum of `parts`, `[points][blocks][depth][16 or 32]` each.
pub(super) fn transform_weight_gradient<S: Scheme>(
    plan: &Plan,
    parts: &[&[f32]],
    grad_weight: &mut [f32],
) {
    let (geometry, context) = (plan.geometry, plan.context);
    let (taps, depth) = (plan.kernel * plan.kernel, geometry.in_panels() * PANEL);
    let point_len = geometry.out_panels() * PANEL * depth;
    let per_output = geometry.in_channels * taps;
    let per_block = context.panels_per_block();
    let panels = grad_weight.chunks_mut(PANEL * per_output).enumerate();
    context.each(panels, |(panel, grad_weight)| {
        let block = panel / per_block * per_block;
        let width = per_block.min(geometry.out_panels() - block) * PANEL;
        let start = block * PANEL * depth + (panel - block) * PANEL;
        let mut together = context.scratch.take(plan.points * TOGETHER * PANEL);
        let mut kernels = [0.0; LARGEST_KERNEL * LARGEST_KERNEL * PANEL];
        let mut transformed = [0.0; LARGEST_TILE * LARGEST_TILE * PANEL];
        for channel in 0..geometry.in_channels {
            let entry = channel % TOGETHER;
            if entry == 0 {
                for (point, run) in together.chunks_exact_mut(TOGETHER * PANEL).enumerate() {
                    for (entry, values) in run.chunks_exact_mut(PANEL).enumerate() {
                        let at = point * point_len + start + (channel + entry) * width;
                        add_parts(parts, at, values);
                    }
                }
            }
            let runs = together.chunks_exact(TOGETHER * PANEL);
            for (run, values) in runs.zip(transformed.chunks_exact_mut(PANEL)) {
                values.copy_from_slice(&run[entry * PANEL..][..PANEL]);
            }
            context.run(WeightGradientTransform {
                scheme: PhantomData::<S>,
                transformed: &transformed,
                kernels: &mut kernels,
            });
            for (lane, gradient) in grad_weight.chunks_exact_mut(per_output).enumerate() {
                let gradient = &mut gradient[channel * taps..][..taps];
                for (tap, gradient) in gradient.iter_mut().enumerate() {
                    *gradient = kernels[tap * PANEL + lane];
                }
            }
        }
    });
}

/// Sums the values from `at` on of all parts, in their order.
fn add_parts(parts: &[&[f32]], at: usize, sums: &mut [f32]) {
    let Some((first, parts)) = parts.split_first() else { return sums.fill(0.0) };
    sums.copy_from_slice(&first[at..at + sums.len()]);
    for part in parts {
        for (sum, value) in sums.iter_mut().zip(&part[at..]) {
            *sum += value;
        }
    }
}
