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

/// Tiles of a chunk: enough to walk each point's weights seldom, few enough that what passes between the stages stays
/// near. Of 50, 100, 150, 200 and 400, on a Zen 3 with 512 KiB of second-level cache, 100 was best by 4 to 15 %.
const CHUNK_TILES: usize = 100;

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
        ((self.chunk * self.per_image) | 1) * PANEL
    }

    fn by_panel(&self, panels: usize) -> ByPanel {
        ByPanel { panels, point: self.plane(), panel: self.points * self.plane() }
    }

    fn by_point(&self, panels: usize) -> ByPoint {
        ByPoint { panel: self.plane(), point: ((panels * self.plane() / PANEL) | 1) * PANEL }
    }

    /// Panels that one image's panel is transformed on.
    fn canvas(&self) -> (Canvas, [usize; 2]) {
        let size = self.tiles.map(|tiles| tiles * OUT + self.kernel - 1);
        (Canvas::around(self.geometry.input, size, self.geometry.padding), size)
    }

    /// A chunk's images into the transformed domain.
    fn transform_input<S: Scheme>(&self, images: &[f32], layout: ByPanel, transformed: &mut [f32]) {
        let (canvas, _) = self.canvas();
        let plane = self.geometry.in_pixels() * PANEL;
        transformed.par_chunks_mut(layout.panel).enumerate().for_each(|(panel, transformed)| {
            let mut copy = self.cpu.scratch.take_zeroed(canvas.len());
            for (index, image) in images.chunks_exact(self.geometry.in_image()).enumerate() {
                canvas.place(&image[panel * plane..(panel + 1) * plane], &mut copy);
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
        let (output, out_layout, panels) = output;
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
            output,
            output_panel: out_layout.panel,
            panels,
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

/// A layer's forward pass, ready for one chunk of images after another.
pub(crate) struct Forward<'a, S> {
    plan: Plan<'a>,
    weights: Weights,
    bias: Scratch,
    relu: bool,
    inputs: ByPanel,
    segments: Vec<usize>,
    transformed: Scratch,
    outputs: ByPoint,
    products: Scratch,
    scheme: PhantomData<S>,
}

impl<'a, S: Scheme> Forward<'a, S> {
    /// Runs in the pool.
    pub(crate) fn new(
        cpu: &'a Cpu,
        geometry: &'a ConvGeometry,
        weight: &[f32],
        bias: Option<&[f32]>,
        relu: bool,
    ) -> Self {
        let plan = Plan::new::<S>(cpu, geometry);
        let inputs = plan.by_panel(geometry.in_panels());
        let outputs = plan.by_point(geometry.out_panels());
        Self {
            weights: transform_weight::<S>(&plan, weight, false),
            bias: padded_bias(cpu, geometry.out_panels(), bias),
            relu,
            inputs,
            segments: inputs.segments(),
            transformed: cpu.scratch.take(geometry.in_panels() * inputs.panel),
            outputs,
            products: cpu.scratch.take(plan.points * outputs.point),
            plan,
            scheme: PhantomData,
        }
    }

    /// Images in a chunk.
    pub(crate) fn chunk_size(&self) -> usize {
        self.plan.chunk
    }

    /// At most so many images. Runs in the pool.
    pub(crate) fn chunk(&mut self, images: &[f32], output: &mut [f32]) {
        let (plan, geometry, outputs) = (&self.plan, self.plan.geometry, self.outputs);
        let (count, out_panels) = (images.len() / geometry.in_image(), geometry.out_panels());
        plan.transform_input::<S>(images, self.inputs, &mut self.transformed);
        let input = (&*self.transformed, self.inputs, &*self.segments);
        self.products.par_chunks_mut(outputs.point).enumerate().for_each(|(point, products)| {
            let output = (products, outputs, out_panels);
            plan.cpu.run(plan.multiply(point, count, input, &self.weights, output));
        });
        output.par_chunks_mut(geometry.out_pixels() * PANEL).enumerate().for_each(
            |(index, output)| {
                let (image, panel) = (index / out_panels, index % out_panels);
                plan.cpu.run(OutputTransform {
                    scheme: PhantomData::<S>,
                    transformed: &self.products
                        [panel * outputs.panel + image * plan.per_image * PANEL..],
                    stride: outputs.point,
                    tiles: plan.tiles,
                    bias: &self.bias[panel * PANEL..][..PANEL],
                    relu: self.relu,
                    size: geometry.output,
                    output,
                });
            },
        );
    }
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
    cpu.install(|| {
        let mut layer = Forward::<S>::new(cpu, geometry, weight, bias, relu);
        let images = images.chunks(layer.chunk_size() * geometry.in_image());
        let output = output.chunks_mut(layer.chunk_size() * geometry.out_image());
        images.zip(output).for_each(|(images, output)| layer.chunk(images, output));
    });
}

/// A layer's gradients, chunk after chunk.
struct Backward<'a, S> {
    plan: Plan<'a>,
    inputs: ByPanel,
    input_segments: Vec<usize>,
    transformed: Scratch,
    gradients: ByPanel,
    gradient_segments: Vec<usize>,
    gradient: Scratch,
    /// `[points][packed]`.
    weight_sums: Scratch,
    /// `[panels][images][16]`.
    bias_sums: Scratch,
    scheme: PhantomData<S>,
}

/// What the input's gradient needs besides.
struct Turned {
    weights: Weights,
    layout: ByPoint,
    products: Scratch,
}

impl<'a, S: Scheme> Backward<'a, S> {
    fn new(cpu: &'a Cpu, geometry: &'a ConvGeometry) -> Self {
        let plan = Plan::new::<S>(cpu, geometry);
        let (in_panels, out_panels) = (geometry.in_panels(), geometry.out_panels());
        let (inputs, gradients) = (plan.by_panel(in_panels), plan.by_panel(out_panels));
        Self {
            inputs,
            input_segments: inputs.segments(),
            transformed: cpu.scratch.take(in_panels * inputs.panel),
            gradients,
            gradient_segments: gradients.segments(),
            gradient: cpu.scratch.take(out_panels * gradients.panel),
            weight_sums: cpu.scratch.take(plan.points * out_panels * PANEL * in_panels * PANEL),
            bias_sums: cpu.scratch.take(out_panels * geometry.batch * PANEL),
            plan,
            scheme: PhantomData,
        }
    }

    /// The output's gradient of so many images from `first` on into the transformed domain, and its sums.
    fn transform_gradient(
        &mut self,
        first: usize,
        count: usize,
        grad_output: &[f32],
        output: Option<&[f32]>,
    ) {
        let (plan, geometry, layout) = (&self.plan, self.plan.geometry, self.gradients);
        let (out_panels, plane) = (geometry.out_panels(), geometry.out_pixels() * PANEL);
        let sums = self.bias_sums.par_chunks_mut(geometry.batch * PANEL);
        let panels = self.gradient.par_chunks_mut(layout.panel).zip(sums).enumerate();
        panels.for_each(|(panel, (transformed, sums))| {
            for image in 0..count {
                let at = ((first + image) * out_panels + panel) * plane;
                plan.cpu.run(GradientTransform {
                    scheme: PhantomData::<S>,
                    gradient: &grad_output[at..at + plane],
                    gate: output.map_or(&[], |output| &output[at..at + plane]),
                    size: geometry.output,
                    tiles: plan.tiles,
                    transformed: &mut transformed[image * plan.per_image * PANEL..],
                    stride: layout.point,
                    sums: &mut sums[(first + image) * PANEL..][..PANEL],
                });
            }
        });
    }

    /// Adds the weights' gradient of so many images, both operands being transformed; the first chunk's is the sum so far.
    fn add_weight_gradient(&mut self, count: usize, is_first: bool) {
        let plan = &self.plan;
        let point_len = self.weight_sums.len() / plan.points;
        self.weight_sums.par_chunks_mut(point_len).enumerate().for_each(|(point, sums)| {
            plan.cpu.run(Outer {
                input: &self.transformed[point * self.inputs.point..],
                segments: &self.input_segments,
                segment_len: PANEL,
                input_row: 0,
                input_pixel: PANEL,
                height: 1,
                width: count * plan.per_image,
                gradient: &self.gradient[point * self.gradients.point..],
                gradient_panel: self.gradients.panel,
                panels: plan.geometry.out_panels(),
                sums,
                bias_sums: &mut [],
                overwrite: is_first,
            });
        });
    }

    /// The input's gradient of a chunk, masked by `images` where `mask` is set.
    fn input_gradient(
        &self,
        turned: &mut Turned,
        images: &[f32],
        mask: bool,
        grad_input: &mut [f32],
    ) {
        let (plan, geometry, layout) = (&self.plan, self.plan.geometry, turned.layout);
        let (count, in_panels) = (images.len() / geometry.in_image(), geometry.in_panels());
        let input = (&*self.gradient, self.gradients, &*self.gradient_segments);
        turned.products.par_chunks_mut(layout.point).enumerate().for_each(|(point, products)| {
            let output = (products, layout, in_panels);
            plan.cpu.run(plan.multiply(point, count, input, &turned.weights, output));
        });
        let plane = geometry.in_pixels() * PANEL;
        let (canvas, size) = plan.canvas();
        grad_input.par_chunks_mut(plane).enumerate().for_each(|(index, grad_input)| {
            let (image, panel) = (index / in_panels, index % in_panels);
            let mut copy = plan.cpu.scratch.take(canvas.len());
            plan.cpu.run(InputGradientTransform {
                scheme: PhantomData::<S>,
                transformed: &turned.products
                    [panel * layout.panel + image * plan.per_image * PANEL..],
                stride: layout.point,
                tiles: plan.tiles,
                canvas: &mut copy,
            });
            let gate = if mask { &images[index * plane..(index + 1) * plane] } else { &[] };
            cut_out(geometry, size, &copy, gate, grad_input);
        });
    }
}

pub(crate) fn backward<S: Scheme>(
    cpu: &Cpu,
    geometry: &ConvGeometry,
    images: &[f32],
    work: ConvBackward,
) {
    cpu.install(|| {
        let mut layer = Backward::<S>::new(cpu, geometry);
        let (chunk, image_len) = (layer.plan.chunk, geometry.in_image());
        let mut grad_input = work.grad_input.map(|grad_input| {
            let layout = layer.plan.by_point(geometry.in_panels());
            let products = cpu.scratch.take(layer.plan.points * layout.point);
            let weights = transform_weight::<S>(&layer.plan, work.weight, true);
            (Turned { weights, layout, products }, grad_input.chunks_mut(chunk * image_len))
        });
        for (index, images) in images.chunks(chunk * image_len).enumerate() {
            let count = images.len() / image_len;
            layer.plan.transform_input::<S>(images, layer.inputs, &mut layer.transformed);
            layer.transform_gradient(index * chunk, count, work.grad_output, work.output);
            layer.add_weight_gradient(count, index == 0);
            if let Some((turned, chunks)) = &mut grad_input
                && let Some(grad_input) = chunks.next()
            {
                layer.input_gradient(turned, images, work.mask_grad_input, grad_input);
            }
        }
        untransform_weight::<S>(&layer.plan, &layer.weight_sums, work.grad_weight);
        if let Some(grad_bias) = work.grad_bias {
            for (index, bias) in grad_bias.iter_mut().enumerate() {
                let sums = &layer.bias_sums[index / PANEL * geometry.batch * PANEL..]
                    [..geometry.batch * PANEL];
                *bias = sums.iter().skip(index % PANEL).step_by(PANEL).sum();
            }
        }
    });
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
    packed.par_chunks_mut(per_block * panel).enumerate().for_each(|(block, packed)| {
        let width = packed.len() / (plan.points * depth);
        let mut kernels = [0.0; 25 * PANEL];
        let mut transformed = [0.0; 64 * PANEL];
        for entry in 0..depth {
            for group in 0..width / PANEL {
                let column = (block * per_block + group) * PANEL;
                for lane in 0..PANEL {
                    let (out, channel) =
                        if turned { (entry, column + lane) } else { (column + lane, entry) };
                    let exists = out < geometry.out_channels && channel < geometry.in_channels;
                    let at = (out * geometry.in_channels + channel) * taps;
                    for tap in 0..taps {
                        kernels[tap * PANEL + lane] = if exists { weight[at + tap] } else { 0.0 };
                    }
                }
                cpu.run(WeightTransform {
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
    Weights { packed, panel, no_bias: padded_bias(cpu, panels, None) }
}

/// The gradient of the weights out of the transformed domain, `[points][blocks][depth][16 or 32]`.
fn untransform_weight<S: Scheme>(plan: &Plan, sums: &[f32], grad_weight: &mut [f32]) {
    let (geometry, cpu) = (plan.geometry, plan.cpu);
    let (taps, depth) = (plan.kernel * plan.kernel, geometry.in_panels() * PANEL);
    let point_len = geometry.out_panels() * PANEL * depth;
    let per_output = geometry.in_channels * taps;
    let per_block = cpu.panels_per_block();
    grad_weight.par_chunks_mut(PANEL * per_output).enumerate().for_each(|(panel, grad_weight)| {
        let block = panel / per_block * per_block;
        let width = per_block.min(geometry.out_panels() - block) * PANEL;
        let mut kernels = [0.0; 25 * PANEL];
        let mut transformed = [0.0; 64 * PANEL];
        for channel in 0..geometry.in_channels {
            for (point, values) in
                transformed.chunks_exact_mut(PANEL).take(plan.tile * plan.tile).enumerate()
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
