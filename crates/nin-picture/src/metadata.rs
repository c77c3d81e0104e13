//! Finds EXIF and XMP, which hold the orientation of a picture.
//!
//! Decoders keep or inflate all metadata of a file: a colour profile of 700 KB can inflate to gigabytes. Only
//! the orientation matters here. It is read from slices of the file, and the PNG decoder never sees the rest.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::ZlibDecoder;

use super::format::PictureFormat;

/// The most bytes to inflate from compressed XMP.
const MOST_XMP_BYTES: u64 = 1 << 20;
/// The keyword of XMP in a PNG text chunk.
const XMP_KEYWORD: &[u8] = b"XML:com.adobe.xmp";
/// The length of the PNG signature.
const SIGNATURE: usize = 8;
/// Ancillary PNG chunks that affect the decoded pixels.
const PIXEL_CHUNKS: [&[u8; 4]; 4] = [b"tRNS", b"acTL", b"fcTL", b"fdAT"];

/// The metadata that may hold the orientation.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata<'a> {
    pub(super) exif: Option<&'a [u8]>,
    pub(super) xmp: Option<Cow<'a, [u8]>>,
}

impl<'a> Metadata<'a> {
    /// Finds the metadata of a PNG or WebP file; returns none for other formats.
    pub(super) fn of(format: PictureFormat, bytes: &'a [u8]) -> Self {
        match format {
            PictureFormat::Png => Self::of_png(bytes),
            PictureFormat::WebP => Self::of_webp(bytes),
            _ => Self::default(),
        }
    }

    fn of_png(bytes: &'a [u8]) -> Self {
        let mut metadata = Self::default();
        for chunk in PngChunks::new(bytes).take_while(|chunk| chunk.name != b"IDAT") {
            match chunk.name {
                b"eXIf" if metadata.exif.is_none() => metadata.exif = Some(chunk.content),
                b"iTXt" if metadata.xmp.is_none() => metadata.xmp = png_xmp(chunk.content),
                _ => {}
            }
        }
        metadata
    }

    /// Finds the metadata chunks, which only the extended format (`VP8X`) has.
    fn of_webp(bytes: &'a [u8]) -> Self {
        let mut rest = bytes.get(12..).unwrap_or_default();
        let mut metadata = Self::default();
        if !rest.starts_with(b"VP8X") {
            return metadata;
        }
        while let Some((head, body)) = rest.split_first_chunk::<8>() {
            let [name @ .., l0, l1, l2, l3] = *head;
            let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
            let Some(content) = body.get(..length) else { break };
            match &name {
                b"EXIF" if metadata.exif.is_none() => metadata.exif = Some(content),
                b"XMP " if metadata.xmp.is_none() => metadata.xmp = Some(content.into()),
                _ => {}
            }
            rest = body.get(length + length % 2..).unwrap_or_default();
        }
        metadata
    }
}

/// Returns the part of a PNG file that its decoder needs: no chunks that do not affect pixels.
pub(super) fn without_metadata(bytes: &[u8]) -> Cow<'_, [u8]> {
    if PngChunks::new(bytes).all(|chunk| chunk.has_pixels()) {
        return bytes.into();
    }
    let mut kept = bytes[..SIGNATURE].to_vec();
    let mut chunks = PngChunks::new(bytes);
    for chunk in chunks.by_ref().filter(PngChunk::has_pixels) {
        kept.extend(chunk.whole);
    }
    // Keep trailing bytes that are not a chunk, so that the decoder reports them.
    kept.extend(chunks.0);
    kept.into()
}

/// Returns the text of an `iTXt` chunk if it is XMP.
fn png_xmp(content: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (keyword, rest) = split_at_zero(content)?;
    if !keyword.windows(XMP_KEYWORD.len()).any(|window| window == XMP_KEYWORD) {
        return None;
    }
    let (&[is_compressed, _method], rest) = rest.split_first_chunk::<2>()?;
    let (_language, rest) = split_at_zero(rest)?;
    let (_translated_keyword, text) = split_at_zero(rest)?;
    if is_compressed == 0 {
        return Some(text.into());
    }
    let mut inflated = Vec::new();
    // Damage after the orientation does not matter.
    let _ = ZlibDecoder::new(text).take(MOST_XMP_BYTES).read_to_end(&mut inflated);
    Some(inflated.into())
}

fn split_at_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&byte| byte == 0)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

struct PngChunk<'a> {
    name: &'a [u8; 4],
    content: &'a [u8],
    /// The chunk including its length and checksum.
    whole: &'a [u8],
}

impl PngChunk<'_> {
    fn has_pixels(&self) -> bool {
        // A lower-case first letter marks an ancillary chunk.
        self.name[0].is_ascii_uppercase() || PIXEL_CHUNKS.contains(&self.name)
    }
}

/// Iterates over the chunks of a PNG file; afterwards holds the remaining bytes.
struct PngChunks<'a>(&'a [u8]);

impl<'a> PngChunks<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.get(SIGNATURE..).unwrap_or_default())
    }
}

impl<'a> Iterator for PngChunks<'a> {
    type Item = PngChunk<'a>;

    fn next(&mut self) -> Option<PngChunk<'a>> {
        let length = u32::from_be_bytes(*self.0.first_chunk()?) as usize;
        let whole = self.0.get(..length.checked_add(12)?)?;
        self.0 = &self.0[whole.len()..];
        let name = whole[4..].first_chunk()?;
        Some(PngChunk { name, content: &whole[8..8 + length], whole })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u32).to_be_bytes();
        let mut crc = flate2::Crc::new();
        crc.update(&name);
        crc.update(content);
        [&length[..], &name, content, &crc.sum().to_be_bytes()].concat()
    }

    fn png(chunks: &[Vec<u8>]) -> Vec<u8> {
        [b"\x89PNG\r\n\x1a\n", &chunks.concat()[..]].concat()
    }

    #[test]
    fn the_png_decoder_sees_only_chunks_that_affect_pixels() {
        let pixels = [chunk(*b"IHDR", b"13"), chunk(*b"tRNS", b"1"), chunk(*b"IDAT", b"5")];
        let end = chunk(*b"IEND", b"");
        let profile = chunk(*b"iCCP", &[7; 100]);
        let plain = png(&[pixels.concat(), end.clone()]);
        assert!(matches!(without_metadata(&plain), Cow::Borrowed(_)));
        let long = png(&[pixels.concat(), profile.clone(), chunk(*b"zTXt", b"x"), end]);
        assert_eq!(*without_metadata(&long), plain);
        let cut = &long[..long.len() - 5];
        assert_eq!(without_metadata(cut)[..], plain[..plain.len() - 5]);
        for short in 0..12 {
            assert_eq!(*without_metadata(&plain[..short]), plain[..short]);
        }
    }

    #[test]
    fn the_orientation_is_found_before_the_pixels() {
        let exif = chunk(*b"eXIf", b"II*\0");
        let text = |text: &[u8], compressed: u8| {
            chunk(*b"iTXt", &[XMP_KEYWORD, &[0, compressed, 0, 0, 0], text].concat())
        };
        let metadata = |chunks: &[Vec<u8>]| {
            let png = png(chunks);
            let Metadata { exif, xmp } = Metadata::of(PictureFormat::Png, &png);
            (exif.map(<[u8]>::to_vec), xmp.map(Cow::into_owned))
        };
        let found = metadata(&[exif.clone(), text(b"<x/>", 0), chunk(*b"IDAT", b"")]);
        assert_eq!(found, (Some(b"II*\0".to_vec()), Some(b"<x/>".to_vec())));
        assert_eq!(metadata(&[chunk(*b"IDAT", b""), exif, text(b"<x/>", 0)]), (None, None));
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(&vec![b' '; 64 << 20]).unwrap();
        let bomb = zlib.finish().unwrap();
        let (_, xmp) = metadata(&[text(&bomb, 1)]);
        assert_eq!(xmp.unwrap().len() as u64, MOST_XMP_BYTES);
    }

    #[test]
    fn a_webp_chunk_that_exceeds_the_file_is_ignored() {
        let chunk = |name: &[u8; 4], claimed: u32, content: &[u8]| {
            [&name[..], &claimed.to_le_bytes(), content].concat()
        };
        let file = |chunks: &[Vec<u8>]| [b"RIFF\0\0\0\0WEBP", &chunks.concat()[..]].concat();
        let extended = chunk(b"VP8X", 10, &[0; 10]);
        let whole =
            file(&[extended.clone(), chunk(b"ICCP", 3, b"abc\0"), chunk(b"EXIF", 4, b"MM\0*")]);
        let found = Metadata::of(PictureFormat::WebP, &whole);
        assert_eq!(found, Metadata { exif: Some(b"MM\0*"), xmp: None });
        let claiming = file(&[extended, chunk(b"EXIF", u32::MAX, b"MM\0*")]);
        assert_eq!(Metadata::of(PictureFormat::WebP, &claiming), Metadata::default());
        let simple = file(&[chunk(b"VP8 ", 0, b""), chunk(b"EXIF", 4, b"MM\0*")]);
        assert_eq!(Metadata::of(PictureFormat::WebP, &simple), Metadata::default());
    }
}
