//! Weights and biases in the order in which the kernels read them.

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
    let entries: Vec<_> = depth.entries().collect();
    pack(context, geometry.out_channels, &entries, |out, &entry| {
        weight_or_zero(weight, weight_at(geometry, out, entry))
    })
}

/// Packs the weights for the input gradient: outputs and inputs transposed, the kernel rotated by 180 degrees.
pub(crate) fn pack_weight_transposed(
    context: &Context,
    geometry: &ConvGeometry,
    depth: Depth,
    weight: &[f32],
) -> Scratch {
    let entries: Vec<_> = depth.entries().collect();
    pack(context, geometry.in_channels, &entries, |out, &entry| {
        weight_or_zero(weight, transposed_weight_at(geometry, out, entry))
    })
}

/// As [`pack_weight`], in words of two channels.
pub(crate) fn pack_words(context: &Context, geometry: &ConvGeometry, weight: &[f32]) -> Scratch {
    let depth = Depth { channels: geometry.in_channels, lanes: PANEL, kernel: geometry.kernel };
    pack(context, geometry.out_channels, &pairs(depth), |out, pair| {
        let [low, high] = pair.map(|entry| weight_or_zero(weight, weight_at(geometry, out, entry)));
        word(low, high)
    })
}

/// As [`pack_weight_transposed`], in words of two channels.
pub(crate) fn pack_words_transposed(
    context: &Context,
    geometry: &ConvGeometry,
    weight: &[f32],
) -> Scratch {
    let depth = Depth { channels: geometry.out_channels, lanes: PANEL, kernel: geometry.kernel };
    pack(context, geometry.in_channels, &pairs(depth), |out, pair| {
        let [low, high] =
            pair.map(|entry| weight_or_zero(weight, transposed_weight_at(geometry, out, entry)));
        word(low, high)
    })
}

/// A channel of the operand, and a tap.
type Entry = (usize, usize);

/// Returns the depths two by two: neighbouring channels under a tap.
fn pairs(depth: Depth) -> Vec<[Entry; 2]> {
    let entries: Vec<_> = depth.entries().collect();
    entries.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect()
}

/// Returns the position of a weight, `None` where a panel is padded.
fn weight_at(geometry: &ConvGeometry, out: usize, (channel, tap): Entry) -> Option<usize> {
    let taps = geometry.kernel[0] * geometry.kernel[1];
    let exists = channel < geometry.in_channels;
    exists.then(|| (out * geometry.in_channels + channel) * taps + tap)
}

/// Returns the position of a weight of the input gradient, `None` where a panel is padded.
fn transposed_weight_at(
    geometry: &ConvGeometry,
    out: usize,
    (channel, tap): Entry,
) -> Option<usize> {
    let taps = geometry.kernel[0] * geometry.kernel[1];
    let exists = channel < geometry.out_channels;
    exists.then(|| (channel * geometry.in_channels + out + 1) * taps - 1 - tap)
}

fn weight_or_zero(weight: &[f32], at: Option<usize>) -> f32 {
    at.map_or(0.0, |at| weight[at])
}

/// Packs what `value` returns for each output and each entry.
fn pack<E: Sync>(
    context: &Context,
    outputs: usize,
    entries: &[E],
    value: impl Fn(usize, &E) -> f32 + Sync,
) -> Scratch {
    let mut packed = context.scratch.take(panels_of(outputs) * PANEL * entries.len());
    let per_block = context.panels_per_block() * PANEL;
    let blocks = packed.chunks_mut(per_block * entries.len()).enumerate();
    context.each(blocks, |(block, packed)| {
        let width = packed.len() / entries.len();
        for (values, entry) in packed.chunks_exact_mut(width).zip(entries) {
            for (lane, packed) in values.iter_mut().enumerate() {
                let out = block * per_block + lane;
                *packed = if out < outputs { value(out, entry) } else { 0.0 };
            }
        }
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
