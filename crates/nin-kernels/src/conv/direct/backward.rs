//! A layer's gradients: for its weights and bias, and for its input where anybody wants it.

use rayon::prelude::*;

use super::{gated, group_size, group_slices, multiply, on_canvas, padded_bias};
use crate::arch::Bf16Arch;
use crate::arch::generic::{End, Outer};
use crate::conv::bf16::{self, Product};
use crate::conv::lowering::{Depth, Lowering};
use crate::conv::pack::{pack_weight_turned, sum_weight_gradient, tree_sum};
use crate::conv::{ConvBackward, ConvInput, tiles};
use crate::cpu::Cpu;
use crate::geometry::ConvGeometry;
use crate::panels::{PANEL, image_to_planes};
use crate::scratch::Scratch;

/// A layer's gradients, ready for one image after another.
pub(crate) struct Backward<'a> {
    cpu: &'a Cpu,
    geometry: &'a ConvGeometry,
    lowering: Lowering,
    turned: Option<Turned>,
    in_planes: bool,
    weight_sums: WeightSums,
}

/// What the weights' gradient is summed by.
#[allow(clippy::large_enum_variant, reason = "there is one of them a layer, and it is never moved")]
enum WeightSums {
    Fp32,
    Words(Bf16Arch),
    Tiles(tiles::Gradients),
}

/// What the input's gradient needs.
struct Turned {
    lowering: Lowering,
    packed: PackedTurned,
    no_bias: Scratch,
    mask: bool,
}

impl Turned {
    /// What happens to an image's gradient in panels.
    fn end<'i>(&self, image: &'i [f32]) -> End<'i> {
        if self.mask { End::Gate(image) } else { End::Store }
    }
}

/// A layer's weights for its input's gradient.
#[allow(clippy::large_enum_variant, reason = "there is one of them a layer, and it is never moved")]
enum PackedTurned {
    Fp32(Scratch),
    Words(Product),
    Tiles(tiles::Backward),
}

/// Where one group of images sums its weight and bias gradients.
pub(crate) struct Sums<'a> {
    weight: &'a mut [f32],
    bias: &'a mut [f32],
    /// What is still to be added.
    pending: Option<tiles::Pending>,
}

/// The sums of all groups.
pub(crate) struct GroupSums {
    weight: Scratch,
    bias: Scratch,
    weight_len: usize,
    bias_len: usize,
}

impl<'a> Backward<'a> {
    /// `mask` as in [`ConvBackward::mask_grad_input`]; none where nobody wants the input's gradient.
    pub(crate) fn new(
        cpu: &'a Cpu,
        geometry: &'a ConvGeometry,
        input: ConvInput,
        weight: &[f32],
        mask: Option<bool>,
    ) -> Self {
        let in_planes = matches!(input, ConvInput::Planes(_));
        let turned = mask.map(|mask| {
            let lowering = Lowering::of_gradient(geometry);
            let in_bf16 = || {
                let tiles = tiles::Backward::new(cpu, geometry, weight).map(PackedTurned::Tiles);
                let words = || Product::backward(cpu, geometry, weight).map(PackedTurned::Words);
                tiles.or_else(words)
            };
            let packed = if in_planes { None } else { in_bf16() };
            let packed = packed.unwrap_or_else(|| {
                PackedTurned::Fp32(pack_weight_turned(cpu, geometry, lowering.depth, weight))
            });
            Turned { lowering, packed, no_bias: padded_bias(cpu, geometry.in_panels(), None), mask }
        });
        let words = || cpu.bf16().filter(|_| geometry.is_pointwise() && !in_planes);
        let weight_sums = tiles::Gradients::new(cpu, geometry, input)
            .map(WeightSums::Tiles)
            .or_else(|| words().map(WeightSums::Words))
            .unwrap_or(WeightSums::Fp32);
        let lowering = Lowering::of(geometry, input);
        Self { cpu, geometry, lowering, turned, in_planes, weight_sums }
    }

    pub(crate) fn sums(&self) -> GroupSums {
        let groups = self.geometry.batch.div_ceil(group_size(self.geometry.batch));
        let bias_len = self.geometry.out_panels() * PANEL;
        let weight_len = bias_len * self.depth().len();
        let weight = match self.weight_sums {
            // Overwritten by what is added first.
            WeightSums::Tiles(_) => self.cpu.scratch.take(groups * weight_len),
            WeightSums::Fp32 | WeightSums::Words(_) => {
                self.cpu.scratch.take_zeroed(groups * weight_len)
            }
        };
        let bias = self.cpu.scratch.take_zeroed(groups * bias_len);
        GroupSums { weight, bias, weight_len, bias_len }
    }

    /// The order of the weight sums' depth.
    fn depth(&self) -> Depth {
        match &self.weight_sums {
            WeightSums::Tiles(gradients) => gradients.depth(),
            WeightSums::Fp32 | WeightSums::Words(_) => self.lowering.depth,
        }
    }

    /// Where each group sums, in order.
    pub(crate) fn groups<'s>(&self, sums: &'s mut GroupSums) -> Vec<Sums<'s>> {
        let pending = || match &self.weight_sums {
            WeightSums::Tiles(gradients) => Some(gradients.pending(self.cpu)),
            WeightSums::Fp32 | WeightSums::Words(_) => None,
        };
        let weights = sums.weight.chunks_exact_mut(sums.weight_len);
        weights
            .zip(sums.bias.chunks_exact_mut(sums.bias_len))
            .map(|(weight, bias)| Sums { weight, bias, pending: pending() })
            .collect()
    }

    /// A group's last image was added.
    pub(crate) fn finish_group(&self, sums: &mut Sums) {
        if let (WeightSums::Tiles(gradients), Some(pending)) =
            (&self.weight_sums, &mut sums.pending)
        {
            gradients.flush(pending, sums.weight);
        }
    }

    /// One image: adds its weight and bias gradients, and writes its input gradient where somebody wants it.
    pub(crate) fn image(
        &self,
        image: &[f32],
        gradient: &[f32],
        sums: &mut Sums,
        grad_input: Option<&mut [f32]>,
    ) {
        let Sums { weight, bias, pending } = sums;
        if let (WeightSums::Tiles(gradients), Some(pending)) = (&self.weight_sums, pending) {
            self.image_in_tiles(gradients, [image, gradient], pending, [weight, bias], grad_input);
            return;
        }
        self.add_image(image, gradient, [weight, bias]);
        if let Some(grad_input) = grad_input {
            self.input_gradient(image, gradient, grad_input);
        }
    }

    /// The same, part by part.
    fn image_in_tiles(
        &self,
        gradients: &tiles::Gradients,
        [image, gradient]: [&[f32]; 2],
        pending: &mut tiles::Pending,
        [weight_sums, bias_sums]: [&mut [f32]; 2],
        mut grad_input: Option<&mut [f32]>,
    ) {
        for &part in gradients.parts() {
            let sums = [&mut *weight_sums, &mut *bias_sums];
            let filled = gradients.add(self.cpu, part, [image, gradient], pending, sums);
            if let (Some(grad_input), Some(turned)) = (&mut grad_input, &self.turned)
                && let PackedTurned::Tiles(layer) = &turned.packed
            {
                let (bias, end) = (&turned.no_bias, turned.end(image));
                layer.part(self.cpu, part, (gradient, &filled), bias, end, grad_input);
            }
        }
        // Over planes it is in fp32.
        if let (Some(grad_input), true) = (grad_input, self.in_planes) {
            self.input_gradient(image, gradient, grad_input);
        }
    }

    /// Adds one image's weight and bias gradients.
    fn add_image(&self, image: &[f32], gradient: &[f32], [weight, bias]: [&mut [f32]; 2]) {
        if let WeightSums::Words(bf16) = self.weight_sums {
            let sums = [weight, bias];
            bf16::add_gradients(self.cpu, bf16, self.geometry, image, gradient, sums);
            return;
        }
        let canvas = on_canvas(self.cpu, &self.lowering, image);
        let lowering = &self.lowering;
        self.cpu.run(Outer {
            input: canvas.as_deref().unwrap_or(image),
            segments: &lowering.segments,
            segment_len: lowering.segment_len,
            input_row: lowering.row,
            input_pixel: lowering.pixel,
            height: lowering.height,
            width: lowering.width,
            gradient,
            gradient_panel: self.geometry.out_pixels() * PANEL,
            panels: self.geometry.out_panels(),
            sums: weight,
            bias_sums: bias,
            overwrite: false,
        });
    }

    /// One image's input gradient.
    fn input_gradient(&self, image: &[f32], gradient: &[f32], grad_input: &mut [f32]) {
        let Some(turned) = &self.turned else {
            return;
        };
        let Turned { lowering, packed, no_bias, mask } = turned;
        let end = if self.in_planes { End::Store } else { turned.end(image) };
        let packed = match packed {
            PackedTurned::Fp32(packed) => packed,
            PackedTurned::Words(product) => {
                return product.image(self.cpu, gradient, no_bias, end, grad_input);
            }
            PackedTurned::Tiles(_) => unreachable!("done part by part"),
        };
        let canvas = on_canvas(self.cpu, lowering, gradient);
        let gradient = canvas.as_deref().unwrap_or(gradient);
        let panels = self.geometry.in_panels();
        if !self.in_planes {
            self.cpu.run(multiply(lowering, gradient, packed, no_bias, grad_input, panels, end));
            return;
        }
        let mut in_panels = self.cpu.scratch.take(self.geometry.in_image());
        self.cpu.run(multiply(
            lowering,
            gradient,
            packed,
            no_bias,
            &mut in_panels,
            panels,
            End::Store,
        ));
        image_to_planes(self.geometry.in_pixels(), &in_panels, grad_input);
        if *mask {
            for (gradient, &input) in grad_input.iter_mut().zip(image) {
                *gradient = if input <= 0.0 { 0.0 } else { *gradient };
            }
        }
    }

    /// Adds up the groups.
    pub(crate) fn finish(
        &self,
        sums: &GroupSums,
        grad_weight: &mut [f32],
        grad_bias: Option<&mut [f32]>,
    ) {
        sum_weight_gradient(
            self.cpu,
            self.geometry.out_panels(),
            self.depth(),
            &sums.weight,
            grad_weight,
        );
        if let Some(grad_bias) = grad_bias {
            let parts: Vec<&[f32]> = sums.bias.chunks_exact(sums.bias_len).collect();
            tree_sum(&parts, 0, grad_bias);
        }
    }
}

pub(crate) fn backward(cpu: &Cpu, geometry: &ConvGeometry, work: ConvBackward) {
    let mask = work.grad_input.is_some().then_some(work.mask_grad_input);
    let layer = Backward::new(cpu, geometry, work.input, work.weight, mask);
    let mut sums = layer.sums();
    let images = work.input.values();
    let (image_len, out_image) = (images.len() / geometry.batch, geometry.out_image());
    let group = group_size(geometry.batch);
    let groups = layer.groups(&mut sums);
    let grad_inputs = group_slices(work.grad_input, group * image_len, groups.len());
    let (grad_output, output) = (work.grad_output, work.output);
    let parts = groups.into_par_iter().zip(grad_inputs).enumerate();
    let image_gradients = |index: usize, sums: &mut Sums, grad_input: Option<&mut [f32]>| {
        let image = &images[index * image_len..(index + 1) * image_len];
        let at = index * out_image..(index + 1) * out_image;
        let gated = output.map(|output| gated(cpu, &grad_output[at.clone()], &output[at.clone()]));
        let gradient = gated.as_deref().unwrap_or(&grad_output[at]);
        layer.image(image, gradient, sums, grad_input);
    };
    cpu.install(|| {
        parts.for_each(|(part, (mut sums, grad_input))| {
            let mut grad_images = grad_input.map(|images| images.chunks_exact_mut(image_len));
            for index in part * group..((part + 1) * group).min(geometry.batch) {
                image_gradients(index, &mut sums, grad_images.as_mut().and_then(Iterator::next));
            }
            layer.finish_group(&mut sums);
        });
    });
    layer.finish(&sums, work.grad_weight, work.grad_bias);
}
