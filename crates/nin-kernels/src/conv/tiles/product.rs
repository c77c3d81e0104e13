//! Images times weights: the forward pass and the input gradient.

use std::sync::Arc;

use super::input::{Filled, Input};
use super::walk::Part;
use crate::arch::generic::{Epilogue, TileMultiply};
use crate::arch::{TILE_CHANNELS, TILE_LEN, TILE_WORDS, TilesArch};
use crate::context::Context;
use crate::conv::lowering::Depth;
use crate::conv::operands::Layout;
use crate::conv::weights::{Form, LayerWeights};
use crate::geometry::ConvGeometry;
use crate::panels::{PANEL, panels_of};
use crate::precision::word;
use crate::scratch::Scratch;

/// Images times packed weights.
#[derive(Debug)]
pub(crate) struct Product {
    input: Input,
    /// The offset in bytes of each step's operand from a place in the grid.
    offsets: Vec<usize>,
    packed: Arc<Scratch>,
    panels: usize,
}

impl Product {
    /// Packs the weights of a forward pass.
    pub(crate) fn forward(
        context: &Context,
        arch: TilesArch,
        geometry: &ConvGeometry,
        layout: Layout,
        weight: LayerWeights,
    ) -> Self {
        let input = Input::new(arch, geometry, layout);
        let Depth { channels, kernel, .. } = input.depth;
        let (outputs, taps) = (geometry.out_channels, kernel[0] * kernel[1]);
        let packed = weight.packed(Form::Tiles, |weight| {
            pack(context, [channels, outputs], taps, |out, channel, tap| {
                weight[(out * channels + channel) * taps + tap]
            })
        });
        Self::new(input, outputs, packed)
    }

    /// Packs the weights of an input gradient: outputs and inputs transposed, the kernel rotated by 180 degrees.
    pub(crate) fn input_gradient(
        context: &Context,
        arch: TilesArch,
        geometry: &ConvGeometry,
        weight: &[f32],
    ) -> Self {
        let input = Input::of_gradient(arch, geometry);
        let taps = geometry.kernel[0] * geometry.kernel[1];
        let (inputs, outputs) = (input.depth.channels, geometry.in_channels);
        let packed = pack(context, [inputs, outputs], taps, |out, channel, tap| {
            weight[(channel * outputs + out) * taps + taps - 1 - tap]
        });
        Self::new(input, outputs, Arc::new(packed))
    }

    fn new(input: Input, outputs: usize, packed: Arc<Scratch>) -> Self {
        let line = TILE_WORDS * size_of::<f32>();
        let (channels, walk) = (input.depth.channels, &input.walk);
        let offsets: Vec<usize> = (0..channels.div_ceil(TILE_CHANNELS))
            .flat_map(|block| walk.taps.iter().map(move |tap| (block, tap)))
            .map(|(block, tap)| (block * walk.input.len + tap) * line)
            .collect();
        Self { input, offsets, packed, panels: panels_of(outputs) }
    }

    /// Multiplies one image.
    pub(crate) fn image(
        &self,
        context: &Context,
        image: &[f32],
        bias: &[f32],
        epilogue: Epilogue,
        output: &mut [f32],
    ) {
        for &part in &self.input.parts {
            let grid = self.input.fill(context, image, part);
            self.multiply(&grid, part, bias, epilogue, output);
        }
    }

    /// Multiplies part of one image, reusing `filled` if it is laid out as this product requires.
    // Six parameters: those of `image`, and what the weight gradient shares.
    pub(crate) fn part(
        &self,
        context: &Context,
        part: Part,
        (image, filled): (&[f32], &Filled),
        bias: &[f32],
        epilogue: Epilogue,
        output: &mut [f32],
    ) {
        if filled.grid == part.of_grid(self.input.walk.input) {
            return self.multiply(&filled.words, part, bias, epilogue, output);
        }
        let grid = self.input.fill(context, image, part);
        self.multiply(&grid, part, bias, epilogue, output);
    }

    /// Multiplies part of one image. `output` and the slice of the epilogue are those of the whole image.
    fn multiply(
        &self,
        grid: &[f32],
        part: Part,
        bias: &[f32],
        epilogue: Epilogue,
        output: &mut [f32],
    ) {
        let at = part.first * PANEL;
        self.input.arch.run(TileMultiply {
            grid,
            offsets: &self.offsets,
            weight: &self.packed,
            bias,
            places: part.of_grid(self.input.walk.places),
            plane: output.len() / self.panels,
            output: &mut output[at..],
            panels: self.panels,
            epilogue: match epilogue {
                Epilogue::Gate(gate) => Epilogue::Gate(&gate[at..]),
                Epilogue::Store | Epilogue::Relu | Epilogue::ReluOperand => epilogue,
            },
        });
    }
}

/// Packs weights into `[output panels][blocks of 32 inputs][taps][16 pairs of inputs][16]` words. `weight` returns the
/// weight of an output, an input channel and a tap.
fn pack(
    context: &Context,
    [inputs, outputs]: [usize; 2],
    taps: usize,
    weight: impl Fn(usize, usize, usize) -> f32 + Sync,
) -> Scratch {
    let per_panel = inputs.div_ceil(TILE_CHANNELS) * taps * TILE_LEN;
    let mut packed = context.scratch.take(panels_of(outputs) * per_panel);
    let value = |out: usize, channel: usize, tap: usize| {
        if out < outputs && channel < inputs { weight(out, channel, tap) } else { 0.0 }
    };
    let panels = packed.chunks_exact_mut(per_panel).enumerate();
    context.each(panels, |(panel, packed)| {
        for (step, tile) in packed.chunks_exact_mut(TILE_LEN).enumerate() {
            let (block, tap) = (step / taps, step % taps);
            for (pair, words) in tile.chunks_exact_mut(PANEL).enumerate() {
                let channel = block * TILE_CHANNELS + 2 * pair;
                for (lane, entry) in words.iter_mut().enumerate() {
                    let out = panel * PANEL + lane;
                    *entry = word(value(out, channel, tap), value(out, channel + 1, tap));
                }
            }
        }
    });
    packed
}
