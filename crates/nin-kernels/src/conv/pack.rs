//! Weights and biases in the order in which the kernels read them.

use rayon::prelude::*;

use super::lowering::Depth;
use crate::context::Context;
use crate::geometry::ConvGeometry;
use crate::panels::{PANEL, panels_of};
use crate::precision::word;
use crate::scratch::Scratch;

/// Packs `[out, in, height, width]` into blocks of `[depth][16 or 32 outputs]`, zero where there is no channel.
pub(crate) fn pack_weight(
    context: &Context,
    geometry: &ConvGeometry,
    depth: Depth,
    weight: &[f32],
) -> Scratch {
    let taps = geometry.kernel[0] * geometry.kernel[1];
    let per_output = geometry.in_channels * taps;
    pack(context, geometry.out_channels, depth, |out, channel, tap| {
        weight[out * per_output + channel * taps + tap]
    })
}

/// Packs the weights for the input gradient: outputs and inputs transposed, the kernel rotated by 180 degrees.
pub(crate) fn pack_weight_transposed(
    context: &Context,
    geometry: &ConvGeometry,
    depth: Depth,
    weight: &[f32],
) -> Scratch {
    let taps = geometry.kernel[0] * geometry.kernel[1];
    let per_output = geometry.in_channels * taps;
    pack(context, geometry.in_channels, depth, |out, channel, tap| {
        weight[channel * per_output + out * taps + taps - 1 - tap]
    })
}

/// Packs the `[out, in]` of a 1x1 layer into blocks of `[pairs of inputs][16 or 32 outputs]` words.
pub(crate) fn pack_words(context: &Context, geometry: &ConvGeometry, weight: &[f32]) -> Scratch {
    let inputs = geometry.in_channels;
    words(context, geometry.out_channels, inputs, |out, channel| weight[out * inputs + channel])
}

/// Packs the `[out, in]` of a 1x1 layer for the input gradient.
pub(crate) fn pack_words_transposed(
    context: &Context,
    geometry: &ConvGeometry,
    weight: &[f32],
) -> Scratch {
    let (inputs, outputs) = (geometry.in_channels, geometry.out_channels);
    words(context, inputs, outputs, |out, channel| weight[channel * inputs + out])
}

fn words(
    context: &Context,
    outputs: usize,
    channels: usize,
    weight: impl Fn(usize, usize) -> f32 + Sync,
) -> Scratch {
    let pairs = panels_of(channels) * PANEL / 2;
    let mut packed = context.scratch.take(panels_of(outputs) * PANEL * pairs);
    let per_block = context.panels_per_block() * PANEL;
    let value = |out: usize, channel: usize| {
        if out < outputs && channel < channels { weight(out, channel) } else { 0.0 }
    };
    let blocks = packed.par_chunks_mut(per_block * pairs).enumerate();
    context.install(|| {
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
    context: &Context,
    outputs: usize,
    depth: Depth,
    weight: impl Fn(usize, usize, usize) -> f32 + Sync,
) -> Scratch {
    let mut packed = context.scratch.take(panels_of(outputs) * PANEL * depth.len());
    let per_block = context.panels_per_block() * PANEL;
    let blocks = packed.par_chunks_mut(per_block * depth.len()).enumerate();
    context.install(|| {
        blocks.for_each(|(block, packed)| {
            let width = packed.len() / depth.len();
            for (entry, (channel, tap)) in packed.chunks_exact_mut(width).zip(depth.entries()) {
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

/// Returns the bias in whole panels; zeros where there is none.
pub(crate) fn padded_bias(context: &Context, panels: usize, bias: Option<&[f32]>) -> Scratch {
    let mut padded = context.scratch.take_zeroed(panels * PANEL);
    if let Some(bias) = bias {
        padded[..bias.len()].copy_from_slice(bias);
    }
    padded
}
