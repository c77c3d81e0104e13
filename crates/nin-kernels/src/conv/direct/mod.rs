//! The direct algorithm: for every size, and the reference for the others. Each image is worked on by itself; in tiles the operands of
//! a few wait for one another.

mod backward;
mod forward;

pub(crate) use backward::{Backward, Sums, backward};
pub(crate) use forward::{Forward, forward};

use super::lowering::Lowering;
use crate::arch::generic::{End, Multiply, gate};
use crate::cpu::Cpu;
use crate::panels::PANEL;
use crate::scratch::Scratch;

/// Groups of images whose gradients are summed apart, and then as a tree: as many threads as that can share the work.
const GROUPS: usize = 8;

/// Images in a group.
pub(crate) fn group_size(batch: usize) -> usize {
    batch.div_ceil(GROUPS)
}

/// A slice cut into the groups' parts; so many times none where there is none.
pub(crate) fn group_slices<T>(
    slice: Option<&mut [T]>,
    group_len: usize,
    groups: usize,
) -> Vec<Option<&mut [T]>> {
    match slice {
        Some(slice) => slice.chunks_mut(group_len).map(Some).collect(),
        None => (0..groups).map(|_| None).collect(),
    }
}

/// An image's gradient with its ReLU's mask.
pub(crate) fn gated(cpu: &Cpu, gradient: &[f32], output: &[f32]) -> Scratch {
    let mut gated = cpu.scratch.take(gradient.len());
    gate(cpu, gradient, output, &mut gated);
    gated
}

/// The image with its padding, where it needs any.
fn on_canvas(cpu: &Cpu, lowering: &Lowering, image: &[f32]) -> Option<Scratch> {
    lowering.canvas.map(|canvas| {
        let mut copy = cpu.scratch.take(canvas.len());
        canvas.fill(image, &mut copy);
        copy
    })
}

fn multiply<'a>(
    lowering: &'a Lowering,
    input: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    output: &'a mut [f32],
    panels: usize,
    end: End<'a>,
) -> Multiply<'a> {
    Multiply {
        input,
        segments: &lowering.segments,
        segment_len: lowering.segment_len,
        input_row: lowering.row,
        input_pixel: lowering.pixel,
        height: lowering.height,
        width: lowering.width,
        pixel_block: lowering.pixel_block,
        weight,
        weight_panel: lowering.depth.len() * PANEL,
        weight_entry: 0,
        bias,
        output,
        output_panel: lowering.height * lowering.width * PANEL,
        panels,
        end,
    }
}

/// The bias in whole panels; zeros where there is none.
pub(crate) fn padded_bias(cpu: &Cpu, panels: usize, bias: Option<&[f32]>) -> Scratch {
    let mut padded = cpu.scratch.take_zeroed(panels * PANEL);
    if let Some(bias) = bias {
        padded[..bias.len()].copy_from_slice(bias);
    }
    padded
}
