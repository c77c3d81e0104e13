//! Winograd's algorithm: F(4x4, 3x3) and F(4x4, 5x5), forward and both gradients.
//!
//! Images pass in chunks whose size depends on the geometry alone. Each chunk goes through three stages, each split over
//! tasks that own what they write: transforms by panel, products by point of the transformed domain, transforms back by
//! panel. Weight gradients add up chunk after chunk in the transformed domain, each point by one task.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::ConvBackward;
use super::direct::padded_bias;
use super::lowering::{Canvas, pixel_block};
use crate::arch::generic::{
    End, GradientTransform, InputGradientTransform, InputTransform, Multiply, Outer,
    OutputTransform, Scheme, WeightGradientTransform, WeightTransform,
};
use crate::cpu::Cpu;
use crate::geometry::ConvGeometry;
use crate::panels::PANEL;
use crate::scratch::Scratch;

/// Outputs of a tile along each axis.
const OUT: usize = 4;

/// Tiles of a chunk: enough to walk each point's weights seldom, few enough that a chunk stays in the last-level cache.
const CHUNK_TILES: usize = 200;

/// Sizes that follow from the geometry.
struct Plan<'a> {
    cpu: &'a Cpu,
    geometry: &'a ConvGeometry,
    /// Along each axis, of one image.
    tiles: [usize; 2],
    /// Of one image.
    per_image: usize,
    /// Images in a chunk.
    chunk: usize,
    /// Points of the transformed domain.
    points: usize,
    kernel: usize,
    tile: usize,
}

/// A transformed chunk that is written panel by panel: `[panels][points][tiles][16]`.
#[derive(Clone, Copy)]
struct ByPanel {
    panels: usize,
    point: usize,
    panel: usize,
}

/// A transformed chunk that is written point by point: `[points][panels][tiles][16]`.
#[derive(Clone, Copy)]
struct ByPoint {
    panel: usize,
    point: usize,
}

impl<'a> Plan<'a> {
    fn new<S: Scheme>(cpu: &'a Cpu, geometry: &'a ConvGeometry) -> Self {
        let tiles = geometry.output.map(|size| size.div_ceil(OUT));
        let per_image = tiles[0] * tiles[1];
        let chunks = geometry.batch.div_ceil((CHUNK_TILES / per_image).max(1));
        Self {
            cpu,
            geometry,
            tiles,
            per_image,
            chunk: geometry.batch.div_ceil(chunks),
            points: S::TILE * S::TILE,
            kernel: S::KERNEL,
            tile: S::TILE,
        }
    }

    /// An odd number of cache lines for each plane: strides of a power of two would fight for the same sets.
    fn plane(&self) -> usize {
        (self.chunk * self.per_image | 1) * PANEL
    }

    fn by_panel(&self, panels: usize) -> ByPanel {
        ByPanel {
            panels,
            point: self.plane(),
            panel: self.points * self.plane(),
        }
    }

    fn by_point(&self, panels: usize) -> ByPoint {
        ByPoint {
            panel: self.plane(),
            point: (panels * self.plane() / PANEL | 1) * PANEL,
        }
    }

    /// Panels that one image's panel is transformed on.
    fn canvas(&self) -> (Canvas, [usize; 2]) {
        let size = self.tiles.map(|tiles| tiles * OUT + self.kernel - 1);
        (
            Canvas::around(self.geometry.input, size, self.geometry.padding),
            size,
        )
    }

    /// A chunk's images into the transformed domain.
    fn transform_input<S: Scheme>(&self, images: &[f32], layout: ByPanel, transformed: &mut [f32]) {
        let (canvas, _) = self.canvas();
        let plane = self.geometry.in_pixels() * PANEL;
        transformed
            .par_chunks_mut(layout.panel)
            .enumerate()
            .for_each(|(panel, transformed)| {
                let mut copy = self.cpu.scratch.take(canvas.len());
                for (index, image) in images.chunks_exact(self.geometry.in_image()).enumerate() {
                    canvas.fill(&image[panel * plane..(panel + 1) * plane], &mut copy);
                    self.cpu.run(InputTransform {
                        scheme: PhantomData::<S>,
                        canvas: &copy,
                        tiles: self.tiles,
                        transformed: &mut transformed[index * self.per_image * PANEL..],
                        stride: layout.point,
                    });
                }
            });
    }

    /// One point's products of so many images.
    fn multiply<'b>(
        &self,
        point: usize,
        images: usize,
        input: (&'b [f32], ByPanel, &'b [usize]),
        weight: &'b Weights,
        output: (&'b mut [f32], ByPoint, usize),
    ) -> Multiply<'b> {
        let (input, layout, segments) = input;
        Multiply {
            input: &input[point * layout.point..],
            segments,
            segment_len: PANEL,
            input_row: 0,
            input_pixel: PANEL,
            height: 1,
            width: images * self.per_image,
            pixel_block: pixel_block(layout.panels * PANEL),
            weight: &weight.packed,
            weight_panel: weight.panel,
            weight_entry: point * layout.panels * PANEL,
            bias: &weight.no_bias,
            output: output.0,
            output_panel: output.1.panel,
            panels: output.2,
            end: End::Store,
        }
    }
}

impl ByPanel {
    /// Where each panel of a point starts.
    fn segments(self) -> Vec<usize> {
        (0..self.panels).map(|panel| panel * self.panel).collect()
    }
}

/// Transformed weights, `[blocks of one or two panels][points][depth][16 or 32]`.
struct Weights {
    packed: Scratch,
    panel: usize,
    no_bias: Scratch,
}

pub(crate) fn forward<S: Scheme>(
    cpu: &Cpu,
    geometry: &ConvGeometry,
    images: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    output: &mut [f32],
) {
    let plan = Plan::new::<S>(cpu, geometry);
    let (in_panels, out_panels) = (geometry.in_panels(), geometry.out_panels());
    let (inputs, outputs) = (plan.by_panel(in_panels), plan.by_point(out_panels));
    let segments = inputs.segments();
    let bias = padded_bias(cpu, out_panels, bias);
    let mut transformed = cpu.scratch.take(in_panels * inputs.panel);
    let mut products = cpu.scratch.take(plan.points * outputs.point);
    let plane = geometry.out_pixels() * PANEL;
    cpu.install(|| {
        let weights = transform_weight::<S>(&plan, weight, false);
        let chunks = images.chunks(plan.chunk * geometry.in_image());
        for (images, output) in chunks.zip(output.chunks_mut(plan.chunk * geometry.out_image())) {
            let count = images.len() / geometry.in_image();
            plan.transform_input::<S>(images, inputs, &mut transformed);
            products
                .par_chunks_mut(outputs.point)
                .enumerate()
                .for_each(|(point, products)| {
                    let input = (&*transformed, inputs, &*segments);
                    cpu.run(plan.multiply(
                        point,
                        count,
                        input,
                        &weights,
                        (products, outputs, out_panels),
                    ));
                });
            output
                .par_chunks_mut(plane)
                .enumerate()
                .for_each(|(index, output)| {
                    let (image, panel) = (index / out_panels, index % out_panels);
                    cpu.run(OutputTransform {
                        scheme: PhantomData::<S>,
                        transformed: &products
                            [panel * outputs.panel + image * plan.per_image * PANEL..],
                        stride: outputs.point,
                        tiles: plan.tiles,
                        bias: &bias[panel * PANEL..][..PANEL],
                        relu,
                        size: geometry.output,
                        output,
                    });
                });
        }
    });
}

pub(crate) fn backward<S: Scheme>(
    cpu: &Cpu,
    geometry: &ConvGeometry,
    images: &[f32],
    work: ConvBackward,
) {
    let plan = Plan::new::<S>(cpu, geometry);
    let (in_panels, out_panels) = (geometry.in_panels(), geometry.out_panels());
    let (inputs, gradients) = (plan.by_panel(in_panels), plan.by_panel(out_panels));
    let grad_inputs = plan.by_point(in_panels);
    let (input_segments, gradient_segments) = (inputs.segments(), gradients.segments());
    let mut transformed = cpu.scratch.take(in_panels * inputs.panel);
    let mut gradient = cpu.scratch.take(out_panels * gradients.panel);
    let with_input = work.grad_input.is_some();
    let mut products = cpu.scratch.take(if with_input {
        plan.points * grad_inputs.point
    } else {
        0
    });
    let weight_point = out_panels * PANEL * in_panels * PANEL;
    let mut weight_sums = cpu.scratch.take_zeroed(plan.points * weight_point);
    let mut bias_sums = cpu.scratch.take(out_panels * geometry.batch * PANEL);
    let (plane, out_plane) = (geometry.in_pixels() * PANEL, geometry.out_pixels() * PANEL);
    let (canvas, canvas_size) = plan.canvas();

    cpu.install(|| {
        let turned = with_input.then(|| transform_weight::<S>(&plan, work.weight, true));
        let mut grad_chunks = work
            .grad_input
            .map(|images| images.chunks_mut(plan.chunk * geometry.in_image()));
        for (chunk, images) in images.chunks(plan.chunk * geometry.in_image()).enumerate() {
            let count = images.len() / geometry.in_image();
            plan.transform_input::<S>(images, inputs, &mut transformed);

            let first = chunk * plan.chunk;
            let sums = bias_sums.par_chunks_mut(geometry.batch * PANEL);
            gradient
                .par_chunks_mut(gradients.panel)
                .zip(sums)
                .enumerate()
                .for_each(|(panel, (gradient, sums))| {
                    for image in 0..count {
                        let at = ((first + image) * out_panels + panel) * out_plane;
                        cpu.run(GradientTransform {
                            scheme: PhantomData::<S>,
                            gradient: &work.grad_output[at..at + out_plane],
                            gate: work
                                .output
                                .map_or(&[], |output| &output[at..at + out_plane]),
                            size: geometry.output,
                            tiles: plan.tiles,
                            transformed: &mut gradient[image * plan.per_image * PANEL..],
                            stride: gradients.point,
                            sums: &mut sums[(first + image) * PANEL..][..PANEL],
                        });
                    }
                });

            weight_sums
                .par_chunks_mut(weight_point)
                .enumerate()
                .for_each(|(point, sums)| {
                    cpu.run(Outer {
                        input: &transformed[point * inputs.point..],
                        segments: &input_segments,
                        segment_len: PANEL,
                        input_row: 0,
                        input_pixel: PANEL,
                        height: 1,
                        width: count * plan.per_image,
                        gradient: &gradient[point * gradients.point..],
                        gradient_panel: gradients.panel,
                        panels: out_panels,
                        sums,
                    });
                });

            let (Some(turned), Some(grad_input)) =
                (&turned, grad_chunks.as_mut().and_then(Iterator::next))
            else {
                continue;
            };
            products
                .par_chunks_mut(grad_inputs.point)
                .enumerate()
                .for_each(|(point, products)| {
                    let input = (&*gradient, gradients, &*gradient_segments);
                    cpu.run(plan.multiply(
                        point,
                        count,
                        input,
                        turned,
                        (products, grad_inputs, in_panels),
                    ));
                });
            grad_input
                .par_chunks_mut(plane)
                .enumerate()
                .for_each(|(index, grad_input)| {
                    let (image, panel) = (index / in_panels, index % in_panels);
                    let mut copy = cpu.scratch.take(canvas.len());
                    cpu.run(InputGradientTransform {
                        scheme: PhantomData::<S>,
                        transformed: &products
                            [panel * grad_inputs.panel + image * plan.per_image * PANEL..],
                        stride: grad_inputs.point,
                        tiles: plan.tiles,
                        canvas: &mut copy,
                    });
                    let gate = if work.mask_grad_input {
                        &images[index * plane..(index + 1) * plane]
                    } else {
                        &[]
                    };
                    cut_out(geometry, canvas_size, &copy, gate, grad_input);
                });
        }
        untransform_weight::<S>(&plan, &weight_sums, work.grad_weight);
    });

    if let Some(grad_bias) = work.grad_bias {
        for (index, bias) in grad_bias.iter_mut().enumerate() {
            let sums =
                &bias_sums[index / PANEL * geometry.batch * PANEL..][..geometry.batch * PANEL];
            *bias = sums.iter().skip(index % PANEL).step_by(PANEL).sum();
        }
    }
}

/// The image in the middle of its canvas, zero where `gate` is given and not positive.
fn cut_out(
    geometry: &ConvGeometry,
    size: [usize; 2],
    canvas: &[f32],
    gate: &[f32],
    image: &mut [f32],
) {
    let row_len = geometry.input[1] * PANEL;
    for (row, values) in image.chunks_exact_mut(row_len).enumerate() {
        let at = ((row + geometry.padding[0]) * size[1] + geometry.padding[1]) * PANEL;
        let from = &canvas[at..at + row_len];
        if gate.is_empty() {
            values.copy_from_slice(from);
            continue;
        }
        for ((value, &from), &gate) in values.iter_mut().zip(from).zip(&gate[row * row_len..]) {
            *value = if gate <= 0.0 { 0.0 } else { from };
        }
    }
}

/// The weights in the transformed domain; `turned` for the input's gradient, whose depth are the outputs.
fn transform_weight<S: Scheme>(plan: &Plan, weight: &[f32], turned: bool) -> Weights {
    let (geometry, cpu) = (plan.geometry, plan.cpu);
    let (panels, depth_panels) = if turned {
        (geometry.in_panels(), geometry.out_panels())
    } else {
        (geometry.out_panels(), geometry.in_panels())
    };
    let (taps, depth) = (plan.kernel * plan.kernel, depth_panels * PANEL);
    let panel = plan.points * depth * PANEL;
    let mut packed = cpu.scratch.take(panels * panel);
    let per_block = cpu.panels_per_block();
    packed
        .par_chunks_mut(per_block * panel)
        .enumerate()
        .for_each(|(block, packed)| {
            let width = packed.len() / (plan.points * depth);
            let mut kernels = [0.0; 25 * PANEL];
            let mut transformed = [0.0; 64 * PANEL];
            for entry in 0..depth {
                for group in 0..width / PANEL {
                    let column = (block * per_block + group) * PANEL;
                    for lane in 0..PANEL {
                        let (out, channel) = if turned {
                            (entry, column + lane)
                        } else {
                            (column + lane, entry)
                        };
                        let exists = out < geometry.out_channels && channel < geometry.in_channels;
                        let at = (out * geometry.in_channels + channel) * taps;
                        for tap in 0..taps {
                            kernels[tap * PANEL + lane] =
                                if exists { weight[at + tap] } else { 0.0 };
                        }
                    }
                    cpu.run(WeightTransform {
                        scheme: PhantomData::<S>,
                        kernels: &kernels,
                        transformed: &mut transformed,
                    });
                    for (point, values) in transformed
                        .chunks_exact(PANEL)
                        .take(plan.points)
                        .enumerate()
                    {
                        packed[(point * depth + entry) * width + group * PANEL..][..PANEL]
                            .copy_from_slice(values);
                    }
                }
            }
        });
    Weights {
        packed,
        panel,
        no_bias: padded_bias(cpu, panels, None),
    }
}

/// The gradient of the weights out of the transformed domain, `[points][blocks][depth][16 or 32]`.
fn untransform_weight<S: Scheme>(plan: &Plan, sums: &[f32], grad_weight: &mut [f32]) {
    let (geometry, cpu) = (plan.geometry, plan.cpu);
    let (taps, depth) = (plan.kernel * plan.kernel, geometry.in_panels() * PANEL);
    let point_len = geometry.out_panels() * PANEL * depth;
    let per_output = geometry.in_channels * taps;
    let per_block = cpu.panels_per_block();
    grad_weight
        .par_chunks_mut(PANEL * per_output)
        .enumerate()
        .for_each(|(panel, grad_weight)| {
            let block = panel / per_block * per_block;
            let width = per_block.min(geometry.out_panels() - block) * PANEL;
            let mut kernels = [0.0; 25 * PANEL];
            let mut transformed = [0.0; 64 * PANEL];
            for channel in 0..geometry.in_channels {
                for (point, values) in transformed
                    .chunks_exact_mut(PANEL)
                    .take(plan.tile * plan.tile)
                    .enumerate()
                {
                    let at = point * point_len
                        + block * PANEL * depth
                        + channel * width
                        + (panel - block) * PANEL;
                    values.copy_from_slice(&sums[at..at + PANEL]);
                }
                cpu.run(WeightGradientTransform {
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
