//! Weights in the order in which the kernels read them, and back.

use rayon::prelude::*;

use super::lowering::Depth;
use crate::cpu::Cpu;
use crate::geometry::ConvGeometry;
use crate::panels::{PANEL, panels_of};
use crate::precision::word;
use crate::scratch::Scratch;

/// `[out, in, height, width]` as blocks of `[depth][16 or 32 outputs]`, zero where there is no channel.
pub(crate) fn pack_weight(
    cpu: &Cpu,
    geometry: &ConvGeometry,
    depth: Depth,
    weight: &[f32],
) -> Scratch {
    let taps = geometry.kernel[0] * geometry.kernel[1];
    let per_output = geometry.in_channels * taps;
    pack(cpu, geometry.out_channels, depth, |out, channel, tap| {
        weight[out * per_output + channel * taps + tap]
    })
}

/// The weights of the input's gradient: outputs and inputs change places, and the kernel is turned round.
pub(crate) fn pack_weight_turned(
    cpu: &Cpu,
    geometry: &ConvGeometry,
    depth: Depth,
    weight: &[f32],
) -> Scratch {
    let taps = geometry.kernel[0] * geometry.kernel[1];
    let per_output = geometry.in_channels * taps;
    pack(cpu, geometry.in_channels, depth, |out, channel, tap| {
        weight[channel * per_output + out * taps + taps - 1 - tap]
    })
}

/// A 1x1 layer's `[out, in]` as blocks of `[pairs of inputs][16 or 32 outputs]` words.
pub(crate) fn pack_words(cpu: &Cpu, geometry: &ConvGeometry, weight: &[f32]) -> Scratch {
    let inputs = geometry.in_channels;
    words(cpu, geometry.out_channels, inputs, |out, channel| weight[out * inputs + channel])
}

/// The same for the input's gradient.
pub(crate) fn pack_words_turned(cpu: &Cpu, geometry: &ConvGeometry, weight: &[f32]) -> Scratch {
    let (inputs, outputs) = (geometry.in_channels, geometry.out_channels);
    words(cpu, inputs, outputs, |out, channel| weight[channel * inputs + out])
}

fn words(
    cpu: &Cpu,
    outputs: usize,
    channels: usize,
    weight: impl Fn(usize, usize) -> f32 + Sync,
) -> Scratch {
    let pairs = panels_of(channels) * PANEL / 2;
    let mut packed = cpu.scratch.take(panels_of(outputs) * PANEL * pairs);
    let per_block = cpu.panels_per_block() * PANEL;
    let value = |out: usize, channel: usize| {
        if out < outputs && channel < channels { weight(out, channel) } else { 0.0 }
    };
    let blocks = packed.par_chunks_mut(per_block * pairs).enumerate();
    cpu.install(|| {
        blocks.for_each(|(block, packed)| {
            let width = packed.len() / pairs;
            for (pair, words) in packed.chunks_exact_mut(width).enumerate() {
                for (lane, entry) in words.iter_mut().enumerate() {
                    let out = block * per_block + lane;
                    *entry = word(value(out, 2 * pair), value(out, 2 * pair + 1));
                }
            }
        });
    });
    packed
}

fn pack(
    cpu: &Cpu,
    outputs: usize,
    depth: Depth,
    weight: impl Fn(usize, usize, usize) -> f32 + Sync,
) -> Scratch {
    let mut packed = cpu.scratch.take(panels_of(outputs) * PANEL * depth.len());
    let per_block = cpu.panels_per_block() * PANEL;
    let blocks = packed.par_chunks_mut(per_block * depth.len()).enumerate();
    cpu.install(|| {
        blocks.for_each(|(block, packed)| {
            let width = packed.len() / depth.len();
            for (entry, (channel, tap)) in packed.chunks_exact_mut(width).zip(depth_entries(depth))
            {
                for (lane, value) in entry.iter_mut().enumerate() {
                    let out = block * per_block + lane;
                    let exists = out < outputs && channel < depth.channels;
                    *value = if exists { weight(out, channel, tap) } else { 0.0 };
                }
            }
        });
    });
    packed
}

/// Each entry of a depth: its channel (which may be one that only fills up a panel) and its tap.
fn depth_entries(depth: Depth) -> impl Iterator<Item = (usize, usize)> {
    let taps = depth.kernel[0] * depth.kernel[1];
    (0..depth.channels.div_ceil(depth.lanes)).flat_map(move |panel| {
        (0..taps).flat_map(move |tap| {
            (0..depth.lanes).map(move |lane| (panel * depth.lanes + lane, tap))
        })
    })
}

/// Adds up the groups' packed gradients, in pairs, pairs of pairs and so on, into `[out, in, height, width]`.
pub(crate) fn sum_weight_gradient(
    cpu: &Cpu,
    out_panels: usize,
    depth: Depth,
    groups: &[f32],
    grad_weight: &mut [f32],
) {
    let taps = depth.kernel[0] * depth.kernel[1];
    let per_output = depth.channels * taps;
    let packed_len = out_panels * PANEL * depth.len();
    let per_block = cpu.panels_per_block() * PANEL;
    let blocks = grad_weight.par_chunks_mut(per_block * per_output).enumerate();
    cpu.install(|| {
        blocks.for_each(|(block, grad_weight)| {
            let start = block * per_block * depth.len();
            let len = (per_block * depth.len()).min(packed_len - start);
            let parts: Vec<&[f32]> =
                groups.chunks_exact(packed_len).map(|group| &group[start..start + len]).collect();
            let width = len / depth.len();
            let mut sums = vec![0.0; width];
            for (index, (channel, tap)) in depth_entries(depth).enumerate() {
                if channel >= depth.channels {
                    continue;
                }
                tree_sum(&parts, index * width, &mut sums);
                for (gradient, &sum) in grad_weight.chunks_exact_mut(per_output).zip(&sums) {
                    gradient[channel * taps + tap] = sum;
                }
            }
        });
    });
}

/// The sum of the parts from `start` on, as a tree whose shape is given by their number.
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
