//! The direct algorithm: for every size, and the reference for the others.

use rayon::prelude::*;

use super::lowering::Lowering;
use super::pack::{pack_weight, pack_weight_turned, sum_weight_gradient, tree_sum};
use super::{ConvBackward, ConvInput};
use crate::arch::generic::{End, Multiply, Outer, gate};
use crate::cpu::Cpu;
use crate::geometry::ConvGeometry;
use crate::panels::{PANEL, image_to_planes};
use crate::scratch::Scratch;

/// Groups of images whose gradients are summed apart, and then as a tree: as many threads as that can share the work.
const GROUPS: usize = 8;

pub(crate) fn forward(
    cpu: &Cpu,
    geometry: &ConvGeometry,
    input: ConvInput,
    weight: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    output: &mut [f32],
) {
    let (lowering, images) = lower(geometry, input);
    let packed = pack_weight(cpu, geometry, lowering.depth, weight);
    let bias = padded_bias(cpu, geometry.out_panels(), bias);
    let end = if relu { End::Relu } else { End::Store };
    let work = output
        .par_chunks_mut(geometry.out_image())
        .zip(images.par_chunks(images.len() / geometry.batch));
    cpu.install(|| {
        work.for_each(|(output, image)| {
            let canvas = on_canvas(cpu, &lowering, image);
            let image = canvas.as_deref().unwrap_or(image);
            cpu.run(multiply(
                &lowering,
                image,
                &packed,
                &bias,
                output,
                geometry.out_panels(),
                end,
            ));
        });
    });
}

pub(crate) fn backward(cpu: &Cpu, geometry: &ConvGeometry, work: ConvBackward) {
    let (lowering, images) = lower(geometry, work.input);
    let turned = work.grad_input.is_some().then(|| {
        let lowering = Lowering::of_gradient(geometry);
        let packed = pack_weight_turned(cpu, geometry, lowering.depth, work.weight);
        (
            lowering,
            packed,
            padded_bias(cpu, geometry.in_panels(), None),
        )
    });
    let group = geometry.batch.div_ceil(GROUPS);
    let image_len = images.len() / geometry.batch;
    let sums_len = geometry.out_panels() * PANEL * lowering.depth.len();
    let bias_len = geometry.out_panels() * PANEL;
    let groups = geometry.batch.div_ceil(group);
    let mut sums = cpu.scratch.take_zeroed(groups * sums_len);
    let mut bias_sums = cpu.scratch.take_zeroed(groups * bias_len);

    let mut grad_inputs: Vec<Option<&mut [f32]>> = match work.grad_input {
        Some(grad_input) => grad_input.chunks_mut(group * image_len).map(Some).collect(),
        None => (0..groups).map(|_| None).collect(),
    };
    let parts = sums
        .par_chunks_mut(sums_len)
        .zip(bias_sums.par_chunks_mut(bias_len))
        .zip(&mut grad_inputs);
    let in_planes = matches!(work.input, ConvInput::Planes(_));
    let step =
        |index: usize, sums: &mut [f32], bias_sums: &mut [f32], grad_input: Option<&mut [f32]>| {
            let image = &images[index * image_len..(index + 1) * image_len];
            let at = index * geometry.out_image()..(index + 1) * geometry.out_image();
            let gated = work.output.map(|output| {
                let mut gated = cpu.scratch.take(geometry.out_image());
                gate(
                    cpu,
                    &work.grad_output[at.clone()],
                    &output[at.clone()],
                    &mut gated,
                );
                gated
            });
            let gradient = gated.as_deref().unwrap_or(&work.grad_output[at]);
            add_bias_gradient(geometry.out_pixels(), gradient, bias_sums);
            {
                let canvas = on_canvas(cpu, &lowering, image);
                let image = canvas.as_deref().unwrap_or(image);
                cpu.run(Outer {
                    input: image,
                    segments: &lowering.segments,
                    segment_len: lowering.segment_len,
                    input_row: lowering.row,
                    input_pixel: lowering.pixel,
                    height: lowering.height,
                    width: lowering.width,
                    gradient,
                    gradient_panel: geometry.out_pixels() * PANEL,
                    panels: geometry.out_panels(),
                    sums,
                });
            }
            let (Some(grad_input), Some((lowering, packed, bias))) = (grad_input, &turned) else {
                return;
            };
            let canvas = on_canvas(cpu, lowering, gradient);
            let gradient = canvas.as_deref().unwrap_or(gradient);
            if in_planes {
                let mut panels = cpu.scratch.take(geometry.in_image());
                cpu.run(multiply(
                    lowering,
                    gradient,
                    packed,
                    bias,
                    &mut panels,
                    geometry.in_panels(),
                    End::Store,
                ));
                image_to_planes(geometry.in_pixels(), &panels, grad_input);
                if work.mask_grad_input {
                    for (gradient, &input) in grad_input.iter_mut().zip(image) {
                        *gradient = if input <= 0.0 { 0.0 } else { *gradient };
                    }
                }
            } else {
                let end = if work.mask_grad_input {
                    End::Gate(image)
                } else {
                    End::Store
                };
                cpu.run(multiply(
                    lowering,
                    gradient,
                    packed,
                    bias,
                    grad_input,
                    geometry.in_panels(),
                    end,
                ));
            }
        };
    cpu.install(|| {
        parts
            .enumerate()
            .for_each(|(part, ((sums, bias_sums), grad_input))| {
                let first = part * group;
                let mut grad_images = grad_input
                    .as_deref_mut()
                    .map(|images| images.chunks_exact_mut(image_len));
                for index in first..(first + group).min(geometry.batch) {
                    step(
                        index,
                        sums,
                        bias_sums,
                        grad_images.as_mut().and_then(Iterator::next),
                    );
                }
            });
    });

    sum_weight_gradient(cpu, geometry, lowering.depth, &sums, work.grad_weight);
    if let Some(grad_bias) = work.grad_bias {
        let parts: Vec<&[f32]> = bias_sums.chunks_exact(bias_len).collect();
        tree_sum(&parts, 0, grad_bias);
    }
}

/// How the input is walked, and its values.
fn lower<'a>(geometry: &ConvGeometry, input: ConvInput<'a>) -> (Lowering, &'a [f32]) {
    match input {
        ConvInput::Panels(images) => (Lowering::of_panels(geometry), images),
        ConvInput::Planes(images) => (Lowering::of_planes(geometry), images),
    }
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

/// Adds one image's bias gradient.
pub(crate) fn add_bias_gradient(pixels: usize, gradient: &[f32], sums: &mut [f32]) {
    for (panel, sums) in gradient
        .chunks_exact(pixels * PANEL)
        .zip(sums.chunks_exact_mut(PANEL))
    {
        for pixels in panel.chunks(64 * PANEL) {
            let mut partial = [0.0; PANEL];
            for pixel in pixels.chunks_exact(PANEL) {
                for (sum, value) in partial.iter_mut().zip(pixel) {
                    *sum += value;
                }
            }
            for (sum, value) in sums.iter_mut().zip(partial) {
                *sum += value;
            }
        }
    }
}
