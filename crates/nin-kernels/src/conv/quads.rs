//! Products of bytes, four in a word, with exact sums: any kernel, stride and padding, over panels.

use std::sync::Arc;

use super::lowering::{Depth, Lowering};
use super::region::Region;
use super::steps::Steps;
use crate::arch::Int8Arch;
use crate::arch::generic::{MultiplyQuads, QUADS, ToBytes};
use crate::geometry::ConvGeometry;
use crate::panels::{PANEL, panels_of};
use crate::shared::{Output, Shared};
use crate::team::Step;

/// The packed weights of a layer, and what turns its sums into activations.
#[derive(Debug)]
pub(crate) struct Packed {
    arch: Int8Arch,
    /// `[out, in, height, width]`.
    shape: [usize; 4],
    words: Vec<f32>,
    /// In whole panels.
    scale: Vec<f32>,
    bias: Vec<f32>,
    to_bytes: bool,
}

impl Packed {
    /// Packs `[out, in, height, width]`. The activations are `scale * sum + bias` of each output, as bytes or as `f32`.
    pub(crate) fn new(
        arch: Int8Arch,
        shape: [usize; 4],
        weight: &[i8],
        [scale, bias]: [Vec<f32>; 2],
        to_bytes: bool,
    ) -> Self {
        let [outputs, inputs, height, width] = shape;
        let taps = height * width;
        let channels = panels_of(inputs) * QUADS;
        let depth = Depth { channels, lanes: QUADS, kernel: [height, width] };
        let byte = |out: usize, channel: usize, tap: usize| {
            let exists = out < outputs && channel < inputs;
            if exists { weight[(out * inputs + channel) * taps + tap] } else { 0 }
        };
        let panels = panels_of(outputs);
        let mut words = Vec::with_capacity(panels * PANEL * depth.len());
        for first in (0..panels).step_by(arch.panels_per_block()) {
            let end = (first + arch.panels_per_block()).min(panels);
            for (quad, tap) in depth.entries() {
                for out in first * PANEL..end * PANEL {
                    let bytes = [0, 1, 2, 3].map(|lane| byte(out, 4 * quad + lane, tap));
                    words.push(f32::from_ne_bytes(bytes.map(i8::cast_unsigned)));
                }
            }
        }
        let padded = |mut values: Vec<f32>| {
            values.resize(panels * PANEL, 0.0);
            values
        };
        Self { arch, shape, words, scale: padded(scale), bias: padded(bias), to_bytes }
    }

    /// Returns `[out, in, height, width]`.
    pub(crate) fn shape(&self) -> [usize; 4] {
        self.shape
    }

    fn output_pixel(&self) -> usize {
        if self.to_bytes { QUADS } else { PANEL }
    }

    /// Multiplies a region of one image, which is on its canvas if it needs one. The output starts with the region.
    fn region(&self, lowering: &Lowering, input: &[f32], region: &Region, output: Output) {
        let weight_panel = lowering.depth.len() * PANEL;
        let first = region.panels.start * PANEL;
        self.arch.run(MultiplyQuads {
            input: &input[region.input(lowering)..],
            segments: &lowering.segments,
            segment_len: lowering.segment_len,
            input_row: lowering.row,
            input_pixel: lowering.pixel,
            height: region.height(lowering),
            width: region.width(lowering),
            pixel_block: lowering.pixel_block,
            weight: &self.words[region.panels.start * weight_panel..],
            weight_panel,
            scale: &self.scale[first..],
            bias: &self.bias[first..],
            output,
            output_panel: lowering.height * lowering.width * self.output_pixel(),
            panels: region.panels.len(),
            to_bytes: self.to_bytes,
        });
    }
}

/// Rounds an image to bytes.
#[derive(Debug)]
struct Quantize {
    arch: Int8Arch,
    factor: f32,
    /// Ranges of pixels of a panel.
    ranges: Vec<(usize, usize)>,
    image: Arc<Shared>,
    words: Arc<Shared>,
}

impl Step for Quantize {
    fn parts(&self) -> usize {
        self.ranges.len()
    }

    unsafe fn run(&self, part: usize) {
        let (first, count) = self.ranges[part];
        // SAFETY: this step writes the words, each part its own, and nothing writes the image.
        let (image, words) =
            unsafe { (self.image.values(), self.words.part(first * QUADS, count * QUADS)) };
        let values = &image[first * PANEL..][..count * PANEL];
        self.arch.run(ToBytes { values, factor: self.factor, words });
    }
}

/// Multiplies regions of an image.
#[derive(Debug)]
struct ByRegion {
    packed: Arc<Packed>,
    lowering: Lowering,
    regions: Vec<Region>,
    input: Arc<Shared>,
    output: Arc<Shared>,
}

impl Step for ByRegion {
    fn parts(&self) -> usize {
        self.regions.len()
    }

    unsafe fn run(&self, part: usize) {
        let region = &self.regions[part];
        let at = region.output(&self.lowering) / PANEL * self.packed.output_pixel();
        // SAFETY: this step writes the output, each part its own region, and nothing writes the input.
        let (input, output) = unsafe { (self.input.values(), self.output.output(at)) };
        self.packed.region(&self.lowering, input, region, output);
    }
}

/// Appends the rounding of values to bytes, each `factor` times its value.
pub(crate) fn push_quantize(steps: &mut Steps, factor: f32) {
    let len = steps.values().len() / PANEL * QUADS;
    steps.push(len, |steps, image, words| {
        let (arch, ranges) = (steps.context().int8(), steps.ranges(len / QUADS));
        Quantize { arch, factor, ranges, image, words }
    });
}

/// Appends a layer to the steps of an image of bytes.
pub(crate) fn push_steps(steps: &mut Steps, geometry: &ConvGeometry, packed: &Arc<Packed>) {
    let lowering = Lowering::of_quads(geometry);
    steps.push_canvas(&lowering);
    let len = geometry.out_image() / PANEL * packed.output_pixel();
    steps.push(len, |steps, input, output| {
        let panels = (geometry.out_panels(), packed.arch.panels_per_block());
        let regions = steps.regions(&lowering, panels);
        ByRegion { packed: Arc::clone(packed), lowering, regions, input, output }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns bytes from a counter-based generator.
    fn random(len: usize) -> Vec<u8> {
        let byte = |index: usize| (index.wrapping_mul(0x9E37_79B9) >> 13) as u8;
        (0..len).map(byte).collect()
    }

    /// Bytes as words, four in each.
    fn words(bytes: &[u8]) -> Vec<f32> {
        bytes.as_chunks().0.iter().map(|&word| f32::from_ne_bytes(word)).collect()
    }

    #[test]
    fn every_instruction_set_has_the_sums_of_a_plain_loop() {
        // 32 inputs, with the largest activations and weights among them; 40 outputs, in an odd number of panels.
        let (pixels, inputs, outputs) = (37, 32, 40);
        let mut image = random(pixels * inputs);
        image[..inputs].fill(255);
        let weight: Vec<i8> = random(outputs * inputs + 7)[7..]
            .iter()
            .enumerate()
            .map(|(index, byte)| if index < inputs { -127 } else { (*byte).max(1).cast_signed() })
            .collect();
        // The first output has no step: its products are its sums.
        let scale: Vec<f32> =
            (0..outputs).map(|out| if out == 0 { 1.0 } else { 0.37 / 255.0 }).collect();
        let bias: Vec<f32> = (0..outputs).map(|out| out as f32 - 8.5).collect();
        let activation = |pixel: usize, channel: usize| {
            image[(channel / PANEL * pixels + pixel) * PANEL + channel % PANEL]
        };
        let geometry =
            ConvGeometry::new(1, [inputs, outputs], [1, pixels], [1, 1], [1, 1], [0, 0]).unwrap();
        let lowering = Lowering::of_quads(&geometry);
        let region = Region::all(&lowering, geometry.out_panels());
        for arch in Int8Arch::all() {
            for to_bytes in [false, true] {
                let ends = [scale.clone(), bias.clone()];
                let shape = [outputs, inputs, 1, 1];
                let packed = Packed::new(arch, shape, &weight, ends, to_bytes);
                let len = geometry.out_image() / PANEL * packed.output_pixel();
                let mut output = vec![f32::NAN; len];
                packed.region(&lowering, &words(&image), &region, output.as_mut_slice().into());
                let bytes: Vec<u8> = output.iter().flat_map(|word| word.to_ne_bytes()).collect();
                for (out, pixel) in
                    (0..outputs).flat_map(|out| (0..pixels).map(move |pixel| (out, pixel)))
                {
                    let products = (0..inputs).map(|channel| {
                        i64::from(weight[out * inputs + channel])
                            * i64::from(activation(pixel, channel))
                    });
                    let sum = products.sum::<i64>() as f32;
                    let value = sum * scale[out] + bias[out];
                    let at = (out / PANEL * pixels + pixel) * PANEL + out % PANEL;
                    if to_bytes {
                        let expected = value.round_ties_even().clamp(0.0, 255.0) as u8;
                        assert_eq!(bytes[at], expected, "{arch:?}, output {out}, pixel {pixel}");
                    } else {
                        let expected = value.max(0.0).to_bits();
                        assert_eq!(output[at].to_bits(), expected, "{arch:?}, {out}, {pixel}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_rounds_ties_to_even() {
        let mut values = [0.0; 2 * PANEL];
        let cases = [0.5, 1.5, 2.5, 2.500_001, 254.5, 255.5, 1e9, 1e20, -0.5, -3.0, -0.0, 7.0];
        values[..cases.len()].copy_from_slice(&cases);
        for arch in Int8Arch::all() {
            let mut words = [0.0; 2 * QUADS];
            arch.run(ToBytes { values: &values, factor: 1.0, words: &mut words });
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            let expected = [0, 2, 2, 3, 254, 255, 255, 255, 0, 0, 0, 7, 0, 0];
            assert_eq!(bytes[..expected.len()], expected, "{arch:?}");
        }
    }
}
