//! A strict reader for IDX files, the format of MNIST. It never allocates more than the file holds.
//!
//! A file holds a magic number (two zero bytes, the type, the number of dimensions), the size of each
//! dimension as a big-endian 32-bit integer, and the values.

use std::io::Read;
use std::path::Path;

use crate::files::{Content, FIRST_ALLOCATION, LARGEST_CONTENT, malformed, open, unreadable};
use crate::{DataError, Images, sha256};

/// The type code for unsigned bytes.
const UNSIGNED_BYTE: u8 = 0x08;

/// Reads images from a file of three dimensions, `[images, height, width]`, plain or gzip. Also returns the
/// SHA-256 of the uncompressed bytes.
///
/// The first bytes decide whether the file is gzip, not its name.
///
/// # Errors
/// Returns [`DataError::Read`] if the file cannot be read, [`DataError::IdxKind`] if it is an IDX file of
/// another type or number of dimensions, and [`DataError::Malformed`] if it is not a regular file, is a
/// truncated gzip file, has another magic number or a dimension of 0, exceeds 640 MiB of values, or has
/// fewer or more values than its dimensions announce.
pub fn read_images(path: &Path) -> Result<(Images, String), DataError> {
    parse_images(path, open(path)?)
}

/// Reads labels from a file of one dimension, plain or gzip. Also returns the SHA-256 of the uncompressed
/// bytes.
///
/// # Errors
/// Returns the errors of [`read_images`].
pub fn read_labels(path: &Path) -> Result<(Vec<u8>, String), DataError> {
    parse_labels(path, open(path)?)
}

const fn header_length<const D: usize>() -> usize {
    4 + 4 * D
}

/// Parses images from plain or gzip content. Errors name `path`.
pub(crate) fn parse_images(path: &Path, reader: impl Read) -> Result<(Images, String), DataError> {
    let (pixels, [count, height, width], sha256) = parse_any(path, reader)?;
    Ok((Images { count, channels: 1, height, width, pixels }, sha256))
}

/// Parses labels from plain or gzip content. Errors name `path`.
pub(crate) fn parse_labels(path: &Path, reader: impl Read) -> Result<(Vec<u8>, String), DataError> {
    let (labels, [_], sha256) = parse_any(path, reader)?;
    Ok((labels, sha256))
}

/// The values, the dimensions, and the SHA-256 of the content.
type Parsed<const D: usize> = (Vec<u8>, [usize; D], String);

fn parse_any<const D: usize>(path: &Path, reader: impl Read) -> Result<Parsed<D>, DataError> {
    match Content::of(path, reader)? {
        Content::Plain(reader) => parse(path, reader),
        Content::Gzip(reader) => parse(path, reader),
    }
}

fn parse<const D: usize>(path: &Path, mut reader: impl Read) -> Result<Parsed<D>, DataError> {
    let mut content = Vec::new();
    let header = header_length::<D>();
    read_up_to(path, &mut reader, header as u64, &mut content)?;
    if content.len() < header {
        let found = format!("{} bytes", content.len());
        return Err(malformed(path, &format!("a header of {header} bytes"), &found));
    }
    check_magic::<D>(path, &content)?;
    let sizes: [usize; D] = std::array::from_fn(|dimension| {
        let at = 4 + 4 * dimension;
        let bytes = [content[at], content[at + 1], content[at + 2], content[at + 3]];
        u32::from_be_bytes(bytes) as usize
    });
    if sizes.contains(&0) {
        return Err(malformed(path, "dimensions above 0", &format!("{sizes:?}")));
    }
    let length = sizes
        .iter()
        .try_fold(1_u64, |product, &size| product.checked_mul(size as u64))
        .filter(|&length| length <= LARGEST_CONTENT)
        .ok_or_else(|| {
            let found = format!("dimensions {sizes:?}");
            malformed(path, &format!("at most {LARGEST_CONTENT} values"), &found)
        })?;
    // Reading one extra byte detects trailing data.
    read_up_to(path, &mut reader, length + 1, &mut content)?;
    let found = (content.len() - header) as u64;
    if found != length {
        let found = if found > length { "more".to_owned() } else { format!("{found}") };
        let expected = format!("{length} values for dimensions {sizes:?}");
        return Err(malformed(path, &expected, &found));
    }
    let sum = sha256(&content);
    // In place, because copying the values would double the memory of a data set.
    content.drain(..header);
    content.shrink_to_fit();
    Ok((content, sizes, sum))
}

fn read_up_to(
    path: &Path,
    reader: &mut impl Read,
    length: u64,
    content: &mut Vec<u8>,
) -> Result<(), DataError> {
    let mut left = length as usize;
    while left > 0 {
        let room = FIRST_ALLOCATION.max(content.len() / 8).min(left);
        content.reserve_exact(room);
        let read = reader.by_ref().take(room as u64).read_to_end(content);
        let read = read.map_err(|source| unreadable(path, content.len(), source))?;
        if read < room {
            break;
        }
        left -= read;
    }
    Ok(())
}

fn check_magic<const D: usize>(path: &Path, header: &[u8]) -> Result<(), DataError> {
    let bytes = |bytes: &[u8]| {
        let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.join(" ")
    };
    let expected = [0, 0, UNSIGNED_BYTE, D as u8];
    if header[..4] == expected {
        return Ok(());
    }
    let expected =
        format!("the magic bytes {} of {D} dimension(s) of unsigned bytes", bytes(&expected));
    let found = bytes(&header[..4]);
    match (&header[..2], kind_name(header[2])) {
        ([0, 0], Some(kind)) => Err(DataError::IdxKind {
            path: path.to_owned(),
            expected,
            found: format!("{found} of {} dimension(s) of {kind}", header[3]),
        }),
        _ => Err(malformed(path, &expected, &found)),
    }
}

/// Returns the name of an IDX type code.
fn kind_name(kind: u8) -> Option<&'static str> {
    match kind {
        UNSIGNED_BYTE => Some("unsigned bytes"),
        0x09 => Some("signed bytes"),
        0x0b => Some("16-bit integers"),
        0x0c => Some("32-bit integers"),
        0x0d => Some("32-bit floats"),
        0x0e => Some("64-bit floats"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::made::{file, gzip};

    fn images(count: u32, height: u32, width: u32, values: usize) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, 3];
        for size in [count, height, width] {
            bytes.extend(size.to_be_bytes());
        }
        bytes.extend((0..values).map(|value| value as u8));
        bytes
    }

    #[test]
    fn plain_and_gzip_files_give_the_same_images() {
        let bytes = images(2, 3, 4, 24);
        let plain = read_images(file(&bytes).path()).unwrap();
        let zipped = read_images(file(&gzip(&bytes)).path()).unwrap();
        assert_eq!(plain, zipped);
        let (images, sum) = plain;
        assert_eq!((images.count, images.height, images.width), (2, 3, 4));
        assert_eq!((images.pixels, sum), (bytes[16..].to_vec(), sha256(&bytes)));
    }

    #[test]
    fn errors_say_what_was_expected_and_found() {
        let whole = gzip(&images(2, 3, 4, 24));
        let cases: [(&str, Vec<u8>); 14] = [
            ("found 0 bytes", vec![]),
            ("found 3 bytes", vec![0, 0, 8]),
            ("found 89 50 4e 47", b"\x89PNG\r\n\x1a\n-----------".to_vec()),
            ("found 00 00 0d 03", [&[0, 0, 13, 3][..], &images(1, 1, 1, 1)[4..]].concat()),
            ("found 00 00 08 01", [&[0, 0, 8, 1][..], &images(1, 1, 1, 1)[4..]].concat()),
            ("dimensions above 0, found [2, 0, 4]", images(2, 0, 4, 0)),
            ("24 values for dimensions [2, 3, 4], found 23", images(2, 3, 4, 23)),
            ("24 values for dimensions [2, 3, 4], found more", images(2, 3, 4, 25)),
            ("expected at most", images(u32::MAX, u32::MAX, u32::MAX, 9)),
            ("expected at most 671088640 values", images(1_000_000, 4000, 1, 3)),
            (
                "600000000 values for dimensions [1000000, 600, 1], found 3",
                images(1_000_000, 600, 1, 3),
            ),
            ("a complete gzip file", whole[..whole.len() - 9].to_vec()),
            ("a complete gzip file", [&whole[..whole.len() - 8], &[0; 8]].concat()),
            ("a complete gzip file", [&whole[..], b"more"].concat()),
        ];
        for (expected, bytes) in cases {
            let error = read_images(file(&bytes).path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} should say {expected}");
        }
    }

    #[test]
    fn a_gzip_bomb_is_not_inflated() {
        // 64 MiB of zeros follow an image that announces one pixel.
        let mut bytes = images(1, 1, 1, 1);
        bytes.resize(64 << 20, 0);
        let error = read_images(file(&gzip(&bytes)).path()).unwrap_err().to_string();
        assert!(error.contains("found more"), "{error}");
    }

    #[test]
    fn folders_missing_files_and_pipes_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read_labels(folder.path()), Err(DataError::Malformed { .. })));
        let link = folder.path().join("dangling");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(matches!(read_labels(&link), Err(DataError::Read { .. })));
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let error = read_labels(&pipe).unwrap_err().to_string();
        assert!(error.contains("found a pipe"), "{error}");
    }
}
