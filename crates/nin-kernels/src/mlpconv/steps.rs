//! A block of one image, as steps that threads share.

use super::geometry::MlpconvGeometry;
use super::operands::{MlpconvPacked, MlpconvWeights};
use super::strips::{self, suits_first, suits_tail};
use crate::arch::generic::winograd::{F43, F45};
use crate::conv::{Choice, Layout, Steps, choose, direct, winograd};
use crate::pool;

/// Appends a block to the steps of an image.
pub(crate) fn push_steps(
    steps: &mut Steps,
    (geometry, weights): &(MlpconvGeometry, MlpconvWeights),
    packed: &MlpconvPacked,
    layout: Layout,
) {
    let ([first, second, third], context) = (geometry.layers(), steps.context());
    let (weight, bias) = (weights.layers(Some(packed)), weights.bias);
    let tail = [(weight[1], bias[1]), (weight[2], bias[2])];
    let in_strips = suits_tail(context, geometry);
    match choose(context, first, layout, weight[0].cost()) {
        Choice::Direct if in_strips && suits_first(context, geometry) => {
            return strips::push_steps(steps, geometry, layout, Some((weight[0], bias[0])), tail);
        }
        Choice::Direct => direct::push_steps(steps, first, layout, weight[0], bias[0]),
        Choice::F43 => winograd::push_steps::<F43>(steps, first, weight[0], bias[0]),
        Choice::F45 => winograd::push_steps::<F45>(steps, first, weight[0], bias[0]),
    }
    if in_strips {
        return strips::push_steps(steps, geometry, Layout::Panels, None, tail);
    }
    direct::push_steps(steps, second, Layout::Panels, weight[1], bias[1]);
    direct::push_steps(steps, third, Layout::Panels, weight[2], bias[2]);
    if let Some(geometry) = geometry.pool() {
        pool::push_step(steps, geometry);
    }
}
