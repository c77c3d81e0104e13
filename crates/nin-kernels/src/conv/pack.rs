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
    pack(context, geometry.out_channels, depth.len(), |first, packed| {
        pack_block(geometry, depth, weight, first, packed);
    })
}

/// Packs the weights for the input gradient: outputs and inputs transposed, the kernel rotated by 180 degrees.
pub(crate) fn pack_weight_transposed(
    context: &Context,
    geometry: &ConvGeometry,
    depth: Depth,
    weight: &[f32],
) -> Scratch {
    pack(context, geometry.in_channels, depth.len(), |first, packed| {
        pack_block_transposed(geometry, depth, weight, first, packed);
    })
}

/// As [`pack_weight`], in words of two channels.
pub(crate) fn pack_words(context: &Context, geometry: &ConvGeometry, weight: &[f32]) -> Scratch {
    let depth = Depth { channels: geometry.in_channels, lanes: PANEL, kernel: geometry.kernel };
    pack_pairs(context, geometry.out_channels, depth, |first, packed| {
        pack_block(geometry, depth, weight, first, packed);
    })
}

/// As [`pack_weight_transposed`], in words of two channels.
pub(crate) fn pack_words_transposed(
    context: &Context,
    geometry: &ConvGeometry,
    weight: &[f32],
) -> Scratch {
    let depth = Depth { channels: geometry.out_channels, lanes: PANEL, kernel: geometry.kernel };
    pack_pairs(context, geometry.in_channels, depth, |first, packed| {
        pack_block_transposed(geometry, depth, weight, first, packed);
    })
}

/// As [`pack`], in words of two neighbouring depths.
fn pack_pairs(
    context: &Context,
    outputs: usize,
    depth: Depth,
    fill: impl Fn(usize, &mut [f32]) + Sync,
) -> Scratch {
    pack(context, outputs, depth.len() / 2, |first, packed| {
        let mut values = context.scratch.take(2 * packed.len());
        fill(first, &mut values);
        zip_depths(&values, depth, packed);
    })
}

/// Packs weights of this many depths, block by block. `fill` takes the first output of a block.
fn pack(
    context: &Context,
    outputs: usize,
    depths: usize,
    fill: impl Fn(usize, &mut [f32]) + Sync,
) -> Scratch {
    let mut packed = context.scratch.take(panels_of(outputs) * PANEL * depths);
    let per_block = context.panels_per_block() * PANEL;
    let blocks = packed.chunks_mut(per_block * depths).enumerate();
    context.each(blocks, |(block, packed)| fill(block * per_block, packed));
    packed
}

/// Packs the outputs from `first` on, as many as a block has.
fn pack_block(
    geometry: &ConvGeometry,
    depth: Depth,
    weight: &[f32],
    first: usize,
    packed: &mut [f32],
) {
    let Depth { channels, lanes, .. } = depth;
    let taps = geometry.kernel[0] * geometry.kernel[1];
    let width = packed.len() / depth.len();
    let outputs = first..geometry.out_channels.min(first + width);
    if outputs.len() < width || !channels.is_multiple_of(lanes) {
        packed.fill(0.0);
    }
    // A panel of inputs at a time, whose lines stay in L1.
    let panels = packed.chunks_exact_mut(taps * lanes * width);
    for (panel, entries) in panels.enumerate() {
        let inputs = panel * lanes..channels.min((panel + 1) * lanes);
        for (lane, output) in outputs.clone().enumerate() {
            let kernels =
                &weight[(output * channels + inputs.start) * taps..][..inputs.len() * taps];
            for (input, kernel) in kernels.chunks_exact(taps).enumerate() {
                for (tap, &value) in kernel.iter().enumerate() {
                    entries[(tap * lanes + input) * width + lane] = value;
                }
            }
        }
    }
}

/// Packs the inputs from `first` on as outputs, as many as a block has.
fn pack_block_transposed(
    geometry: &ConvGeometry,
    depth: Depth,
    weight: &[f32],
    first: usize,
    packed: &mut [f32],
) {
    let Depth { channels, lanes, .. } = depth;
    let taps = geometry.kernel[0] * geometry.kernel[1];
    let width = packed.len() / depth.len();
    let inputs = width.min(geometry.in_channels - first);
    if inputs < width || !channels.is_multiple_of(lanes) {
        packed.fill(0.0);
    }
    for channel in 0..channels {
        let kernels = &weight[(channel * geometry.in_channels + first) * taps..][..inputs * taps];
        for tap in 0..taps {
            let entry = (channel / lanes * taps + tap) * lanes + channel % lanes;
            let entry = &mut packed[entry * width..][..inputs];
            if taps == 1 {
                entry.copy_from_slice(kernels);
                continue;
            }
            for (value, kernel) in entry.iter_mut().zip(kernels.chunks_exact(taps)) {
                *value = kernel[taps - 1 - tap];
            }
        }
    }
}

/// Rounds packed values to words of two neighbouring depths.
fn zip_depths(values: &[f32], depth: Depth, words: &mut [f32]) {
    let width = values.len() / depth.len();
    let pairs = values.chunks_exact(2 * width);
    for (words, pair) in words.chunks_exact_mut(width).zip(pairs) {
        let (low, high) = pair.split_at(width);
        for ((packed, &low), &high) in words.iter_mut().zip(low).zip(high) {
            *packed = word(low, high);
        }
    }
}

/// Returns the bias in whole panels; zeros where there is none.
pub(crate) fn padded_bias(context: &Context, panels: usize, bias: Option<&[f32]>) -> Scratch {
    let mut padded = context.scratch.take_zeroed(panels * PANEL);
    if let Some(bias) = bias {
        padded[..bias.len()].copy_from_slice(bias);
    }
    padded
}
