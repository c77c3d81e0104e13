//! Valid and invalid pictures, encoded by hand.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

/// Returns a grey 8-bit PNG of one value: a megabyte of pixels in a kilobyte.
pub(crate) fn png(side: u32, value: u8) -> std::io::Result<Vec<u8>> {
    let mut row = vec![value; side as usize + 1];
    row[0] = 0; // no filter
    Ok(assembled([side, side], GREY, &[], &deflated(&row, side as usize)?))
}

/// Returns a black PNG with four channels of 16 bits each.
pub(crate) fn deep_png(width: u32, height: u32) -> std::io::Result<Vec<u8>> {
    let row = vec![0; width as usize * 8 + 1];
    Ok(assembled([width, height], DEEP, &[], &deflated(&row, height as usize)?))
}

/// Returns a small PNG whose colour profile inflates to this many MiB.
pub(crate) fn profiled_png(mebibytes: usize) -> std::io::Result<Vec<u8>> {
    let profile = [b"p\0\0", &deflated(&vec![0; 1 << 20], mebibytes)?[..]].concat();
    let pixels = deflated(&[0; 29], 28)?;
    Ok(assembled([28, 28], GREY, &[(b"iCCP", &profile)], &pixels))
}

/// The bit depth and colour type of a PNG.
const GREY: [u8; 2] = [8, 0];
const DEEP: [u8; 2] = [16, 6];

/// Returns the bytes, repeated and compressed.
fn deflated(bytes: &[u8], times: usize) -> std::io::Result<Vec<u8>> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    for _ in 0..times {
        zlib.write_all(bytes)?;
    }
    zlib.finish()
}

fn assembled(
    [width, height]: [u32; 2],
    [bits, colour]: [u8; 2],
    more: &[(&[u8; 4], &[u8])],
    pixels: &[u8],
) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([bits, colour, 0, 0, 0]); // deflate, adaptive, not interlaced
    let chunks = [&[(b"IHDR", &header[..])], more, &[(b"IDAT", pixels), (b"IEND", &[])]].concat();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in chunks {
        png.extend((content.len() as u32).to_be_bytes());
        let checked = [&kind[..], content].concat();
        png.extend(&checked);
        png.extend(crc(&checked).to_be_bytes());
    }
    png
}

/// Returns the picture with a header that claims another size.
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
