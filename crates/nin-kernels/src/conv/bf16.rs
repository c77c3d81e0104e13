//! 1x1 layers with bf16 operands: the same multiplications over words of two, summed in fp32.

use super::lowering::Lowering;
use super::pack::{pack_words, pack_words_turned};
use crate::arch::Bf16Arch;
use crate::arch::generic::{End, InPairs, Multiply, Narrow, Outer, ZipPixels};
use crate::cpu::Cpu;
use crate::geometry::ConvGeometry;
use crate::panels::PANEL;
use crate::scratch::Scratch;

/// Panels times the weights of a 1x1 layer.
pub(crate) struct Product {
    bf16: Bf16Arch,
    lowering: Lowering,
    packed: Scratch,
    panels: usize,
}

impl Product {
    /// The layer's forward pass, where it is to be in bf16.
    pub(crate) fn forward(cpu: &Cpu, geometry: &ConvGeometry, weight: &[f32]) -> Option<Self> {
        let bf16 = cpu.bf16().filter(|_| geometry.is_pointwise())?;
        Some(Self {
            bf16,
            lowering: Lowering::of_words(geometry.in_channels, geometry.out_pixels()),
            packed: pack_words(cpu, geometry, weight),
            panels: geometry.out_panels(),
        })
    }

    /// The same for the gradient of its input.
    pub(crate) fn backward(cpu: &Cpu, geometry: &ConvGeometry, weight: &[f32]) -> Option<Self> {
        let bf16 = cpu.bf16().filter(|_| geometry.is_pointwise())?;
        Some(Self {
            bf16,
            lowering: Lowering::of_words(geometry.out_channels, geometry.out_pixels()),
            packed: pack_words_turned(cpu, geometry, weight),
            panels: geometry.in_panels(),
        })
    }

    /// One image.
    pub(crate) fn image(
        &self,
        cpu: &Cpu,
        image: &[f32],
        bias: &[f32],
        end: End,
        output: &mut [f32],
    ) {
        let mut words = cpu.scratch.take(image.len() / 2);
        self.bf16.run(Narrow { values: image, words: &mut words });
        let Self { lowering, packed, .. } = self;
        self.bf16.run(InPairs(Multiply {
            input: &words,
            segments: &lowering.segments,
            segment_len: lowering.segment_len,
            input_row: lowering.row,
            input_pixel: lowering.pixel,
            height: 1,
            width: lowering.width,
            pixel_block: lowering.pixel_block,
            weight: packed,
            weight_panel: lowering.depth.len() / 2 * PANEL,
            weight_entry: 0,
            bias,
            output,
            output_panel: lowering.width * PANEL,
            panels: self.panels,
            end,
        }));
    }
}

/// Adds one image's gradients of weight and bias to the sums of [`Outer`].
pub(crate) fn add_gradients(
    cpu: &Cpu,
    bf16: Bf16Arch,
    geometry: &ConvGeometry,
    image: &[f32],
    gradient: &[f32],
    [weight_sums, bias_sums]: [&mut [f32]; 2],
) {
    let pixels = geometry.out_pixels();
    let pairs_panel = pixels.div_ceil(2) * PANEL;
    let zipped = |values: &[f32], mut sums: Option<&mut [f32]>| {
        let mut words = cpu.scratch.take(values.len() / (pixels * PANEL) * pairs_panel);
        let panels = values.chunks_exact(pixels * PANEL).zip(words.chunks_exact_mut(pairs_panel));
        for (panel, (values, words)) in panels.enumerate() {
            let sums = match &mut sums {
                Some(sums) => &mut sums[panel * PANEL..][..PANEL],
                None => &mut [],
            };
            bf16.run(ZipPixels { values, words, sums });
        }
        words
    };
    let (inputs, gradients) = (zipped(image, None), zipped(gradient, Some(bias_sums)));
    let segments: Vec<usize> = (0..geometry.in_panels()).map(|panel| panel * pairs_panel).collect();
    bf16.run(InPairs(Outer {
        input: &inputs,
        segments: &segments,
        segment_len: PANEL,
        input_row: 0,
        input_pixel: PANEL,
        height: 1,
        width: pixels.div_ceil(2),
        gradient: &gradients,
        gradient_panel: pairs_panel,
        panels: geometry.out_panels(),
        sums: weight_sums,
        bias_sums: &mut [],
        overwrite: false,
    }));
}
