//! The sum of the groups' gradients.

use super::lowering::Depth;
use crate::context::Context;
use crate::panels::PANEL;

/// Sums the packed gradients of all groups, as a tree, into `[out, in, height, width]`.
pub(crate) fn sum_weight_gradient(
    context: &Context,
    out_panels: usize,
    depth: Depth,
    groups: &[f32],
    grad_weight: &mut [f32],
) {
    let taps = depth.kernel[0] * depth.kernel[1];
    let per_output = depth.channels * taps;
    let packed_len = out_panels * PANEL * depth.len();
    let per_block = context.panels_per_block() * PANEL;
    let blocks = grad_weight.chunks_mut(per_block * per_output).enumerate();
    context.each(blocks, |(block, grad_weight)| {
        let start = block * per_block * depth.len();
        let len = (per_block * depth.len()).min(packed_len - start);
        let parts: Vec<&[f32]> =
            groups.chunks_exact(packed_len).map(|group| &group[start..start + len]).collect();
        let width = len / depth.len();
        let mut sums = vec![0.0; width];
        for (index, (channel, tap)) in depth.entries().enumerate() {
            if channel >= depth.channels {
                continue;
            }
            tree_sum(&parts, index * width, &mut sums);
            for (gradient, &sum) in grad_weight.chunks_exact_mut(per_output).zip(&sums) {
                gradient[channel * taps + tap] = sum;
            }
        }
    });
}

/// Sums the parts from `start` on, as a tree whose shape depends on their number alone.
pub(crate) fn tree_sum(parts: &[&[f32]], start: usize, sums: &mut [f32]) {
    match parts {
        [] => sums.fill(0.0),
        [part] => sums.copy_from_slice(&part[start..start + sums.len()]),
        [left, right] => {
            let width = sums.len();
            let (left, right) = (&left[start..start + width], &right[start..start + width]);
            for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
                *sum = left + right;
            }
        }
        _ => {
            let half = parts.len().next_power_of_two() / 2;
            let mut right = [0.0; 2 * PANEL];
            let width = sums.len();
            if width > right.len() {
                for (index, sums) in sums.chunks_mut(2 * PANEL).enumerate() {
                    tree_sum(parts, start + index * 2 * PANEL, sums);
                }
                return;
            }
            tree_sum(&parts[..half], start, sums);
            tree_sum(&parts[half..], start, &mut right[..width]);
            for (sum, right) in sums.iter_mut().zip(&right) {
                *sum += right;
            }
        }
    }
}
