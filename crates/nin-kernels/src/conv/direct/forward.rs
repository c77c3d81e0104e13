//! A layer's output.

use rayon::prelude::*;

use super::{multiply, on_canvas, padded_bias};
use crate::arch::generic::End;
use crate::conv::bf16::Product;
use crate::conv::lowering::Lowering;
use crate::conv::pack::pack_weight;
use crate::conv::{ConvInput, tiles};
use crate::cpu::Cpu;
use crate::geometry::ConvGeometry;
use crate::scratch::Scratch;

/// A layer's weights in the order in which they are read.
#[allow(clippy::large_enum_variant, reason = "there is one of them a layer, and it is never moved")]
enum Packed {
    Fp32(Scratch),
    Words(Product),
    Tiles(tiles::Forward),
}

/// A layer's forward pass, ready for one image after another.
pub(crate) struct Forward<'a> {
    cpu: &'a Cpu,
    lowering: Lowering,
    packed: Packed,
    bias: Scratch,
    relu: bool,
    panels: usize,
}

impl<'a> Forward<'a> {
    pub(crate) fn new(
        cpu: &'a Cpu,
        geometry: &ConvGeometry,
        input: ConvInput,
        weight: &[f32],
        bias: Option<&[f32]>,
        relu: bool,
    ) -> Self {
        let lowering = Lowering::of(geometry, input);
        let words = || match input {
            ConvInput::Panels(_) => Product::forward(cpu, geometry, weight).map(Packed::Words),
            ConvInput::Planes(_) => None,
        };
        let tiles = tiles::Forward::new(cpu, geometry, input, weight).map(Packed::Tiles);
        let packed = tiles
            .or_else(words)
            .unwrap_or_else(|| Packed::Fp32(pack_weight(cpu, geometry, lowering.depth, weight)));
        let bias = padded_bias(cpu, geometry.out_panels(), bias);
        Self { cpu, lowering, packed, bias, relu, panels: geometry.out_panels() }
    }

    pub(crate) fn image(&self, image: &[f32], output: &mut [f32]) {
        let end = if self.relu { End::Relu } else { End::Store };
        let packed = match &self.packed {
            Packed::Fp32(packed) => packed,
            Packed::Words(product) => {
                return product.image(self.cpu, image, &self.bias, end, output);
            }
            Packed::Tiles(layer) => {
                return layer.image(self.cpu, image, &self.bias, end, output);
            }
        };
        let canvas = on_canvas(self.cpu, &self.lowering, image);
        let image = canvas.as_deref().unwrap_or(image);
        self.cpu.run(multiply(&self.lowering, image, packed, &self.bias, output, self.panels, end));
    }
}

pub(crate) fn forward(
    cpu: &Cpu,
    geometry: &ConvGeometry,
    input: ConvInput,
    weight: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    output: &mut [f32],
) {
    let layer = Forward::new(cpu, geometry, input, weight, bias, relu);
    let images = input.values();
    let work = output
        .par_chunks_mut(geometry.out_image())
        .zip(images.par_chunks(images.len() / geometry.batch));
    cpu.install(|| work.for_each(|(output, image)| layer.image(image, output)));
}
