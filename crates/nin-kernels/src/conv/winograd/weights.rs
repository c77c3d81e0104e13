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

/// Transforms the weights.
fn transform_weight<S: Scheme>(plan: &Plan, weight: &[f32], transposed: bool) -> Scratch {
    let (geometry, context) = (plan.geometry, plan.context);
    let [panels, depth_panels] = panels(plan, transposed);
    let (taps, depth) = (plan.kernel * plan.kernel, depth_panels * PANEL);
    let panel = plan.points * depth * PANEL;
    let mut packed = context.scratch.take(panels * panel);
    let per_block = context.panels_per_block();
    context.each(packed.chunks_mut(per_block * panel).enumerate(), |(block, packed)| {
        let width = packed.len() / (plan.points * depth);
        let mut kernels = [0.0; LARGEST_KERNEL * LARGEST_KERNEL * PANEL];
        let mut transformed = [0.0; LARGEST_TILE * LARGEST_TILE * PANEL];
        for entry in 0..depth {
            for group in 0..width / PANEL {
                let column = (block * per_block + group) * PANEL;
                for lane in 0..PANEL {
                    let (out, channel) =
                        if transposed { (entry, column + lane) } else { (column + lane, entry) };
                    let exists = out < geometry.out_channels && channel < geometry.in_channels;
                    let at = (out * geometry.in_channels + channel) * taps;
                    for tap in 0..taps {
                        kernels[tap * PANEL + lane] = if exists { weight[at + tap] } else { 0.0 };
                    }
                }
                context.run(WeightTransform {
                    scheme: PhantomData::<S>,
                    kernels: &kernels,
                    transformed: &mut transformed,
                });
                for (point, values) in transformed.chunks_exact(PANEL).take(plan.points).enumerate()
                {
                    packed[(point * depth + entry) * width + group * PANEL..][..PANEL]
                        .copy_from_slice(values);
                }
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
    context.each(grad_weight.chunks_mut(PANEL * per_output).enumerate(), |(panel, grad_weight)| {
        let block = panel / per_block * per_block;
        let width = per_block.min(geometry.out_panels() - block) * PANEL;
        let mut kernels = [0.0; LARGEST_KERNEL * LARGEST_KERNEL * PANEL];
        let mut transformed = [0.0; LARGEST_TILE * LARGEST_TILE * PANEL];
        for channel in 0..geometry.in_channels {
            for (point, values) in transformed.chunks_exact_mut(PANEL).take(plan.points).enumerate()
            {
                let at = point * point_len
                    + block * PANEL * depth
                    + channel * width
                    + (panel - block) * PANEL;
                add_parts(parts, at, values);
            }
            context.run(WeightGradientTransform {
                scheme: PhantomData::<S>,
                transformed: &transformed,
                kernels: &mut kernels,
            });
            for (lane, gradient) in grad_weight.chunks_exact_mut(per_output).enumerate() {
                for tap in 0..taps {
                    gradient[channel * taps + tap] = kernels[tap * PANEL + lane];
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
