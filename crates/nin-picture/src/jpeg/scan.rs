//! Decodes scans: units of blocks, restart markers, and the check that the picture is complete.

use super::bits::Bits;
use super::block::{Band, Coefficients, dequantized, first_mean, refine_mean, sequential};
use super::dct;
use super::error::{JpegError, damaged};
use super::frame::{BLOCK, Component, Frame, Scan};
use super::header::Tables;
use super::huffman::HuffmanTable;
use crate::memory;

/// The lowest bit of a coefficient that no scan has encoded yet.
const NOTHING: u8 = u8::MAX;

/// Refinement data never has a run of zero bytes this long.
const LONGEST_ZEROS: usize = 160;

/// The samples of all components while scans are decoded.
pub(super) struct Planes {
    /// One plane per component, padded to whole units.
    pub(super) samples: Vec<Vec<u8>>,
    components: Vec<State>,
}

/// The decoding state of a component.
struct State {
    /// The quantization steps of its first scan, in zigzag order.
    steps: Option<[u16; 64]>,
    /// The coefficients of each block; empty unless progressive.
    coefficients: Vec<Coefficients>,
    /// The lowest bit of each coefficient decoded so far.
    low_bits: [u8; 64],
    prediction: i32,
}

/// The tables of one component in a scan.
struct Codes<'a> {
    dc: Option<&'a HuffmanTable>,
    ac: Option<&'a HuffmanTable>,
}

impl Planes {
    pub(super) fn new(frame: &Frame) -> Self {
        let blocks = |component: &Component| component.stored_blocks.iter().product::<usize>();
        let state = |component| State {
            steps: None,
            coefficients: vec![[0; 64]; if frame.is_progressive { blocks(component) } else { 0 }],
            low_bits: [NOTHING; 64],
            prediction: 0,
        };
        let samples = |component| memory::take(blocks(component) * BLOCK * BLOCK);
        Self {
            samples: frame.components.iter().map(samples).collect(),
            components: frame.components.iter().map(state).collect(),
        }
    }

    /// Decodes the scan at the start of `data` and returns its length.
    pub(super) fn decode_scan(
        &mut self,
        frame: &Frame,
        scan: &Scan,
        tables: &Tables,
        data: &[u8],
    ) -> Result<usize, JpegError> {
        for component in &scan.components {
            let state = &mut self.components[component.index];
            state.begin(frame, component.index, scan, tables)?;
        }
        let codes = scan.components.iter().map(|component| Codes {
            dc: tables.dc[component.dc_table].as_ref(),
            ac: tables.ac[component.ac_table].as_ref(),
        });
        let codes: Vec<_> = codes.collect();
        let mut decoder = ScanDecoder {
            planes: self,
            frame,
            scan,
            codes: &codes,
            band: Band {
                first: scan.band[0],
                last: scan.band[1],
                low_bit: scan.bits[1],
                empty_blocks: 0,
            },
            bits: Bits::new(data),
        };
        decoder.run(tables.restart_interval)?;
        let length = decoder.bits.length();
        let is_refinement = frame.is_progressive && scan.band[0] > 0 && scan.bits[0] > 0;
        if is_refinement && has_erasure(data.get(..length).unwrap_or_default()) {
            return damaged("zeros in place of its data");
        }
        Ok(length)
    }

    /// Checks that every bit of every coefficient was decoded, and computes the samples of a progressive
    /// picture. `has_marker` only selects the error.
    pub(super) fn finish(&mut self, frame: &Frame, has_marker: bool) -> Result<(), JpegError> {
        let came = |state: &State| state.low_bits.iter().all(|&low_bit| low_bit == 0);
        if !self.components.iter().all(came) {
            return damaged(if has_marker {
                "a scan is missing"
            } else {
                "the file ends too early"
            });
        }
        if !frame.is_progressive {
            return Ok(());
        }
        for (index, component) in frame.components.iter().enumerate() {
            let state = &mut self.components[index];
            let Some(steps) = &state.steps else { return damaged("a scan is missing") };
            let stride = component.stride();
            let rows = self.samples[index].chunks_exact_mut(stride * BLOCK);
            let blocks = state.coefficients.chunks_exact(component.stored_blocks[1]);
            for (samples, blocks) in rows.zip(blocks) {
                for (column, block) in blocks.iter().enumerate() {
                    let (values, count) = dequantized(block, steps)?;
                    let samples = &mut samples[column * BLOCK..];
                    dct::inverse(&values, count, samples, stride);
                }
            }
            state.coefficients = Vec::new();
        }
        Ok(())
    }
}

impl Drop for Planes {
    fn drop(&mut self) {
        self.samples.drain(..).for_each(memory::give);
    }
}

impl State {
    /// Checks that a scan continues the previous ones, and records what it encodes.
    fn begin(
        &mut self,
        frame: &Frame,
        index: usize,
        scan: &Scan,
        tables: &Tables,
    ) -> Result<(), JpegError> {
        self.prediction = 0;
        if self.steps.is_none() {
            self.steps = tables.quantization[frame.components[index].quantization];
        }
        if self.steps.is_none() {
            return damaged("a quantization table is missing");
        }
        if !frame.is_progressive {
            if self.low_bits[0] != NOTHING {
                return damaged("a second scan of one component");
            }
            self.low_bits = [0; 64];
            return Ok(());
        }
        let [first, last] = scan.band;
        let [before, now] = scan.bits;
        if first > 0 && self.low_bits[0] == NOTHING {
            return damaged("a progressive scan without the one before it");
        }
        for low_bit in &mut self.low_bits[first..=last] {
            let follows =
                if before == 0 { *low_bit == NOTHING } else { u32::from(*low_bit) == before };
            if !follows {
                return damaged("a progressive scan without the one before it");
            }
            *low_bit = now as u8;
        }
        Ok(())
    }
}

/// Returns whether refinement data was overwritten with zeros, which decode as refinements without effect.
/// libjpeg writes at most 1,000 such bits in a row.
fn has_erasure(data: &[u8]) -> bool {
    data.chunks_exact(LONGEST_ZEROS / 2).any(|chunk| chunk.iter().all(|&byte| byte == 0))
        && data.windows(LONGEST_ZEROS).any(|window| window.iter().all(|&byte| byte == 0))
}

/// A scan being decoded.
struct ScanDecoder<'a> {
    planes: &'a mut Planes,
    frame: &'a Frame,
    scan: &'a Scan,
    codes: &'a [Codes<'a>],
    band: Band,
    bits: Bits<'a>,
}

impl ScanDecoder<'_> {
    fn run(&mut self, restart_interval: usize) -> Result<(), JpegError> {
        let first = &self.frame.components[self.scan.components[0].index];
        // A single component is stored block by block; several are interleaved in units of equal area.
        let is_alone = self.scan.components.len() == 1;
        let [rows, columns] = if is_alone {
            first.blocks
        } else {
            [0, 1].map(|side| first.stored_blocks[side] / first.sampling[side])
        };
        let mut units = 0_usize;
        for row in 0..rows {
            for column in 0..columns {
                if restart_interval > 0 && units > 0 && units.is_multiple_of(restart_interval) {
                    self.restart((units / restart_interval - 1) % 8)?;
                }
                units += 1;
                if is_alone {
                    self.block(0, [row, column])?;
                } else {
                    self.unit([row, column])?;
                }
                if self.bits.is_overrun() {
                    return damaged("its data ends too early");
                }
            }
        }
        if self.band.empty_blocks > 0 {
            return damaged("more empty blocks than its size has");
        }
        self.bits.finish()
    }

    fn restart(&mut self, number: usize) -> Result<(), JpegError> {
        if self.band.empty_blocks > 0 {
            return damaged("empty blocks across a restart marker");
        }
        self.bits.restart(number as u8)?;
        for component in &self.scan.components {
            self.planes.components[component.index].prediction = 0;
        }
        Ok(())
    }

    fn unit(&mut self, [row, column]: [usize; 2]) -> Result<(), JpegError> {
        for part in 0..self.scan.components.len() {
            let index = self.scan.components[part].index;
            let [height, width] = self.frame.components[index].sampling;
            for down in 0..height {
                for across in 0..width {
                    self.block(part, [row * height + down, column * width + across])?;
                }
            }
        }
        Ok(())
    }

    /// Reads the block at `[row, column]` of a component.
    #[inline]
    fn block(&mut self, part: usize, [row, column]: [usize; 2]) -> Result<(), JpegError> {
        let index = self.scan.components[part].index;
        let component = &self.frame.components[index];
        let state = &mut self.planes.components[index];
        let Codes { dc, ac } = self.codes[part];
        let no_table = || JpegError::Damaged("a Huffman table is missing".to_owned());
        let bits = &mut self.bits;
        if self.frame.is_progressive {
            let block = &mut state.coefficients[row * component.stored_blocks[1] + column];
            let [before, low_bit] = self.scan.bits;
            return match (self.band.first, before) {
                (0, 0) => {
                    let dc = dc.ok_or_else(no_table)?;
                    first_mean(bits, dc, low_bit, &mut state.prediction, block)
                }
                (0, _) => {
                    refine_mean(bits, low_bit, block);
                    Ok(())
                }
                (_, 0) => self.band.first(bits, ac.ok_or_else(no_table)?, block),
                _ => self.band.refine(bits, ac.ok_or_else(no_table)?, block),
            };
        }
        let (dc, ac) = (dc.ok_or_else(no_table)?, ac.ok_or_else(no_table)?);
        let steps = state.steps.as_ref().ok_or_else(no_table)?;
        let mut values = [0; 64];
        let count = sequential(bits, dc, ac, steps, &mut state.prediction, &mut values)?;
        let stride = component.stride();
        let samples = &mut self.planes.samples[index][(row * stride + column) * BLOCK..];
        dct::inverse(&values, count, samples, stride);
        Ok(())
    }
}
