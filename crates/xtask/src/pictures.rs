//! Pictures, whole and not, made by hand.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

/// A grey 8-bit PNG of one value; a megabyte of it takes a kilobyte.
pub(crate) fn png(side: u32, value: u8) -> std::io::Result<Vec<u8>> {
    let mut header = [side.to_be_bytes(), side.to_be_bytes()].concat();
    header.extend([8, 0, 0, 0, 0]); // 8 bits, grey, deflate, adaptive, not interlaced
    let mut row = vec![value; side as usize + 1];
    row[0] = 0; // no filter
    let mut pixels = ZlibEncoder::new(Vec::new(), Compression::best());
    for _ in 0..side {
        pixels.write_all(&row)?;
    }
    let chunks = [(b"IHDR", header), (b"IDAT", pixels.finish()?), (b"IEND", Vec::new())];
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in chunks {
        png.extend((content.len() as u32).to_be_bytes());
        let checked = [&kind[..], &content].concat();
        png.extend(&checked);
        png.extend(crc(&checked).to_be_bytes());
    }
    Ok(png)
}

/// The same picture with a header that claims another size.
pub(crate) fn claiming(mut png: Vec<u8>, side: u32) -> Vec<u8> {
    png[16..20].copy_from_slice(&side.to_be_bytes());
    png[20..24].copy_from_slice(&side.to_be_bytes());
    let sum = crc(&png[12..29]);
    png[29..33].copy_from_slice(&sum.to_be_bytes());
    png
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
