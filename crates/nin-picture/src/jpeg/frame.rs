//! Frame and scan headers: size, components and their sampling.

use super::error::{JpegError, damaged, unsupported};

/// The side of a block, in samples.
pub(super) const BLOCK: usize = 8;
/// The most blocks in one interleaved unit (MCU).
const MOST_BLOCKS: usize = 10;

/// The content of a frame header.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) is_progressive: bool,
    /// `[height, width]`, in pixels.
    pub(super) size: [usize; 2],
    pub(super) components: Vec<Component>,
    /// The largest `[vertical, horizontal]` sampling of all components.
    pub(super) most_sampling: [usize; 2],
}

/// One component (grey, a colour, or a colour difference).
#[derive(Debug, Clone)]
pub(super) struct Component {
    pub(super) id: u8,
    /// `[vertical, horizontal]`, 1 to 4.
    pub(super) sampling: [usize; 2],
    pub(super) quantization: usize,
    /// `[height, width]` of the component's own samples.
    pub(super) size: [usize; 2],
    /// `[height, width]` in blocks, without those that pad interleaved units.
    pub(super) blocks: [usize; 2],
    /// `[height, width]` in blocks, including padding.
    pub(super) stored_blocks: [usize; 2],
}

impl Component {
    /// Returns the number of samples in a stored row.
    pub(super) fn stride(&self) -> usize {
        self.stored_blocks[1] * BLOCK
    }
}

impl Frame {
    /// Reads the body of a start-of-frame segment.
    pub(super) fn parse(marker: u8, body: &[u8]) -> Result<Self, JpegError> {
        let is_progressive = match marker {
            0xC0 | 0xC1 => false,
            0xC2 => true,
            0xC3 | 0xC7 | 0xCB | 0xCF => return unsupported("lossless JPEG"),
            0xC9 | 0xCA | 0xCD | 0xCE => return unsupported("arithmetic coding"),
            _ => return unsupported("hierarchical JPEG"),
        };
        let &[precision, h1, h0, w1, w0, count, ref rest @ ..] = body else {
            return damaged("a frame header that is too short");
        };
        if precision != 8 {
            return unsupported(format!("{precision} bits per sample"));
        }
        let size = [[h1, h0], [w1, w0]].map(|side| usize::from(u16::from_be_bytes(side)));
        if size[1] == 0 {
            return damaged("a width of 0");
        }
        if size[0] == 0 {
            return unsupported("a height that is given after the picture");
        }
        let (entries, rest) = rest.as_chunks::<3>();
        if entries.len() != usize::from(count) || !rest.is_empty() || count == 0 {
            return damaged("a frame header of the wrong length");
        }
        if ![1, 3, 4].contains(&count) {
            return unsupported(format!("{count} components"));
        }
        let mut components = Vec::new();
        for &[id, sampling, quantization] in entries {
            let sampling = [sampling & 15, sampling >> 4].map(usize::from);
            if !sampling.iter().all(|factor| (1..=4).contains(factor)) || quantization > 3 {
                return damaged("a component with impossible sampling");
            }
            components.push(Component {
                id,
                sampling,
                quantization: usize::from(quantization),
                size: [0; 2],
                blocks: [0; 2],
                stored_blocks: [0; 2],
            });
        }
        let most = |side: usize| components.iter().map(|component| component.sampling[side]).max();
        let most_sampling = [most(0), most(1)].map(Option::unwrap_or_default);
        for component in &mut components {
            for side in [0, 1] {
                let (sampling, most) = (component.sampling[side], most_sampling[side]);
                if most % sampling != 0 {
                    return unsupported("fractional sampling");
                }
                let units = size[side].div_ceil(BLOCK * most);
                component.size[side] = (size[side] * sampling).div_ceil(most);
                component.blocks[side] = component.size[side].div_ceil(BLOCK);
                component.stored_blocks[side] = units * sampling;
            }
        }
        Ok(Self { is_progressive, size, components, most_sampling })
    }
}

/// One component's part in a scan.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScanComponent {
    /// The index of the component in the frame.
    pub(super) index: usize,
    pub(super) dc_table: usize,
    pub(super) ac_table: usize,
}

/// The content of a scan header.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    pub(super) components: Vec<ScanComponent>,
    /// The first and last coefficient, in zigzag order.
    pub(super) band: [usize; 2],
    /// The lowest bit of the previous scan (0 if there was none) and of this one.
    pub(super) bits: [u32; 2],
}

impl Scan {
    /// Reads the body of a start-of-scan segment.
    pub(super) fn parse(body: &[u8], frame: &Frame) -> Result<Self, JpegError> {
        let Some((&count, rest)) = body.split_first() else {
            return damaged("an empty scan header");
        };
        let count = usize::from(count);
        if count == 0 || count > frame.components.len() || rest.len() != 2 * count + 3 {
            return damaged("a scan header of the wrong length");
        }
        let mut components: Vec<ScanComponent> = Vec::new();
        for &[id, tables] in rest[..2 * count].as_chunks::<2>().0 {
            let index = frame.components.iter().position(|component| component.id == id);
            let Some(index) = index.filter(|&index| components.iter().all(|c| c.index != index))
            else {
                return damaged("a scan of an unknown component");
            };
            let [dc_table, ac_table] = [tables >> 4, tables & 15].map(usize::from);
            if dc_table > 3 || ac_table > 3 {
                return damaged("a scan with an impossible table");
            }
            components.push(ScanComponent { index, dc_table, ac_table });
        }
        let band = [rest[2 * count], rest[2 * count + 1]].map(usize::from);
        let bits = [rest[2 * count + 2] >> 4, rest[2 * count + 2] & 15].map(u32::from);
        let scan = Self { components, band, bits };
        scan.check(frame)?;
        Ok(scan)
    }

    fn check(&self, frame: &Frame) -> Result<(), JpegError> {
        let blocks = |component: &ScanComponent| {
            frame.components[component.index].sampling.iter().product::<usize>()
        };
        let blocks: usize = self.components.iter().map(blocks).sum();
        if self.components.len() > 1 && blocks > MOST_BLOCKS {
            return damaged("too many blocks in one unit");
        }
        if !frame.is_progressive {
            // Like libjpeg, accept encoders that leave these bytes 0.
            return Ok(());
        }
        let [first, last] = self.band;
        let [before, now] = self.bits;
        let band_fits = if first == 0 {
            last == 0
        } else {
            first <= last && last < BLOCK * BLOCK && self.components.len() == 1
        };
        let bits_fit = now <= 13 && (before == 0 || before == now + 1);
        if band_fits && bits_fit { Ok(()) } else { damaged("an impossible progressive scan") }
    }
}
