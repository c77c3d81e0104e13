//! Reads markers and segments: everything in a file except the data of scans.

use super::colour::ColourSpace;
use super::error::{JpegError, damaged};
use super::frame::{Frame, Scan};
use super::huffman::HuffmanTable;

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// Tables that scans use; later segments replace them.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// The quantization steps, in zigzag order.
    pub(super) quantization: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<HuffmanTable>; 4],
    pub(super) ac: [Option<HuffmanTable>; 4],
    /// Units between restart markers; 0 for none.
    pub(super) restart_interval: usize,
}

/// The next item in a file.
pub(super) enum Segment {
    /// A scan; its data follows.
    Scan(Scan),
    /// The end of the picture.
    End {
        /// Whether the end marker is there.
        has_marker: bool,
    },
}

/// A reader for the segments of a file.
pub(super) struct Headers<'a> {
    bytes: &'a [u8],
    at: usize,
    pub(super) frame: Option<Frame>,
    pub(super) tables: Tables,
    pub(super) exif: Option<Vec<u8>>,
    pub(super) xmp: Option<Vec<u8>>,
    has_jfif: bool,
    /// The colour transform of an Adobe segment.
    adobe: Option<u8>,
}

impl<'a> Headers<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, JpegError> {
        if !bytes.starts_with(&[0xFF, SOI]) {
            return damaged("no start marker");
        }
        Ok(Self {
            bytes,
            at: 2,
            frame: None,
            tables: Tables::default(),
            exif: None,
            xmp: None,
            has_jfif: false,
            adobe: None,
        })
    }

    /// Returns the unread bytes.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Skips the data of a scan.
    pub(super) fn skip(&mut self, length: usize) {
        self.at += length;
    }

    /// Reads up to the next scan or the end. Skips bytes between segments, as libjpeg does, but not after the
    /// first scan, where they may be lost pixels.
    pub(super) fn next_segment(&mut self, has_pixels: bool) -> Result<Segment, JpegError> {
        loop {
            let Some(marker) = self.next_marker(has_pixels)? else {
                return Ok(Segment::End { has_marker: false });
            };
            match marker {
                EOI => return Ok(Segment::End { has_marker: true }),
                // Markers without a body: TEM, and a start marker inside the file.
                0x01 | SOI => return damaged(format!("a misplaced marker {marker:02X}")),
                0xD0..=0xD7 => return damaged("a restart marker outside a scan"),
                _ => {}
            }
            let body = self.body()?;
            match marker {
                SOS => {
                    let Some(frame) = &self.frame else {
                        return damaged("a scan before the frame header");
                    };
                    return Ok(Segment::Scan(Scan::parse(body, frame)?));
                }
                0xC4 => self.read_huffman(body)?,
                0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                    if self.frame.is_some() {
                        return damaged("a second frame header");
                    }
                    self.frame = Some(Frame::parse(marker, body)?);
                }
                0xDB => self.read_quantization(body)?,
                0xDD => {
                    let &[high, low] = body else {
                        return damaged("a restart interval of the wrong length");
                    };
                    self.tables.restart_interval = usize::from(u16::from_be_bytes([high, low]));
                }
                0xDC => return damaged("a height after the picture"),
                0xE0..=0xEF => self.read_application(marker, body),
                0xFE | 0xCC => {}
                _ if has_pixels => return damaged(format!("an unknown marker {marker:02X}")),
                _ => {}
            }
        }
    }

    /// Returns the next marker, or `None` at the end of the file.
    fn next_marker(&mut self, has_pixels: bool) -> Result<Option<u8>, JpegError> {
        loop {
            let rest = self.rest();
            let Some(found) = rest.iter().position(|&byte| byte == 0xFF) else {
                self.at = self.bytes.len();
                return if rest.is_empty() {
                    Ok(None)
                } else {
                    damaged("no marker after a segment")
                };
            };
            if found > 0 && has_pixels {
                return damaged("data after a scan ended");
            }
            let fill = rest[found..].iter().take_while(|&&byte| byte == 0xFF).count();
            let Some(&marker) = rest.get(found + fill) else {
                self.at = self.bytes.len();
                return Ok(None);
            };
            self.at += found + fill + 1;
            match marker {
                0 if has_pixels => return damaged("data after a scan ended"),
                0 => {}
                marker => return Ok(Some(marker)),
            }
        }
    }

    fn body(&mut self) -> Result<&'a [u8], JpegError> {
        let rest = self.rest();
        let length = match rest {
            &[high, low, ..] => usize::from(u16::from_be_bytes([high, low])),
            _ => return damaged("the file ends within a segment"),
        };
        if length < 2 {
            return damaged("a segment of an impossible length");
        }
        let Some(body) = rest.get(2..length) else {
            return damaged("the file ends within a segment");
        };
        self.at += length;
        Ok(body)
    }

    fn read_quantization(&mut self, mut body: &[u8]) -> Result<(), JpegError> {
        while let Some((&kind, rest)) = body.split_first() {
            let (is_wide, index) = (kind >> 4 != 0, usize::from(kind & 15));
            let length = if is_wide { 128 } else { 64 };
            if kind >> 4 > 1 || index > 3 || rest.len() < length {
                return damaged("an impossible quantization table");
            }
            let mut table = [0_u16; 64];
            for (at, value) in table.iter_mut().enumerate() {
                *value = if is_wide {
                    u16::from_be_bytes([rest[2 * at], rest[2 * at + 1]])
                } else {
                    u16::from(rest[at])
                };
            }
            if table.contains(&0) {
                return damaged("a quantization table with a 0");
            }
            self.tables.quantization[index] = Some(table);
            body = &rest[length..];
        }
        Ok(())
    }

    fn read_huffman(&mut self, mut body: &[u8]) -> Result<(), JpegError> {
        while let Some((&kind, rest)) = body.split_first() {
            let (class, index) = (kind >> 4, usize::from(kind & 15));
            if class > 1 || index > 3 {
                return damaged("an impossible Huffman table");
            }
            let Some((counts, rest)) = rest.split_first_chunk::<16>() else {
                return damaged("a Huffman table that is cut off");
            };
            let total: usize = counts.iter().copied().map(usize::from).sum();
            if total > 256 || rest.len() < total {
                return damaged("a Huffman table that is cut off");
            }
            let table = HuffmanTable::new(counts, &rest[..total])?;
            let tables = if class == 0 { &mut self.tables.dc } else { &mut self.tables.ac };
            tables[index] = Some(table);
            body = &rest[total..];
        }
        Ok(())
    }

    fn read_application(&mut self, marker: u8, body: &[u8]) {
        match marker {
            0xE0 if body.len() >= 12 && body.starts_with(b"JFIF\0") => self.has_jfif = true,
            0xEE if body.len() >= 12 && body.starts_with(b"Adobe") => self.adobe = Some(body[11]),
            // EXIF may continue in further segments. Only the first XMP counts, as in PIL and browsers.
            0xE1 => {
                if let Some(exif) = body.strip_prefix(EXIF) {
                    self.exif.get_or_insert_default().extend_from_slice(exif);
                } else if let Some(xmp) = body.strip_prefix(XMP) {
                    self.xmp.get_or_insert_with(|| xmp.to_vec());
                }
            }
            _ => {}
        }
    }

    /// Determines the meaning of the components by libjpeg's rules.
    pub(super) fn colour_space(&self, frame: &Frame) -> ColourSpace {
        let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
        match frame.components.len() {
            1 => ColourSpace::Grey,
            3 if self.has_jfif => ColourSpace::YCbCr,
            3 => match self.adobe {
                Some(0) => ColourSpace::Rgb,
                None if ids == *b"RGB" => ColourSpace::Rgb,
                _ => ColourSpace::YCbCr,
            },
            _ => match self.adobe {
                None | Some(0) => ColourSpace::Cmyk,
                _ => ColourSpace::Ycck,
            },
        }
    }
}
