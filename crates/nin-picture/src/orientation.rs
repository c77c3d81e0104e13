//! Turns pictures upright by EXIF orientation, or by XMP if EXIF has none, as PIL does.

use super::memory;

/// The side of a tile, in pixels.
const TILE: usize = 64;

/// The tag of the orientation in the first EXIF directory.
const ORIENTATION: u16 = 0x0112;
/// The XMP attribute or element that holds the number.
const XMP_ORIENTATION: &[u8] = b"tiff:Orientation";

/// How to turn a stored picture upright: transpose, then mirror left to right, then mirror top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Orientation {
    transpose: bool,
    mirror_columns: bool,
    mirror_rows: bool,
}

impl Orientation {
    /// Returns the orientation for an EXIF number from 1 to 8; upright for any other number.
    pub(super) fn of_number(number: u16) -> Self {
        let [transpose, mirror_columns, mirror_rows] = match number {
            2 => [false, true, false],
            3 => [false, true, true],
            4 => [false, false, true],
            5 => [true, false, false],
            6 => [true, true, false],
            7 => [true, true, true],
            8 => [true, false, true],
            _ => [false; 3],
        };
        Self { transpose, mirror_columns, mirror_rows }
    }

    /// Reads the orientation from metadata. Ignores metadata that cannot be parsed.
    pub(super) fn of_metadata(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Self {
        let exif = exif.map(|exif| exif.strip_prefix(b"Exif\0\0").unwrap_or(exif));
        let number = exif.and_then(exif_number).or_else(|| xmp.and_then(xmp_number));
        number.map(Self::of_number).unwrap_or_default()
    }

    /// Returns the `[height, width]` of the upright picture.
    fn size(self, [height, width]: [usize; 2]) -> [usize; 2] {
        if self.transpose { [width, height] } else { [height, width] }
    }

    /// Turns planes of `[height, width]` `size` upright and returns the new size.
    pub(super) fn apply(self, planes: &mut [Vec<u8>], size: [usize; 2]) -> [usize; 2] {
        if self != Self::default() {
            for plane in planes {
                let turned = self.turned(plane, size);
                memory::give(std::mem::replace(plane, turned));
            }
        }
        self.size(size)
    }

    fn turned(self, plane: &[u8], size: [usize; 2]) -> Vec<u8> {
        let [height, width] = self.size(size);
        let mut turned = memory::take(plane.len());
        // In tiles, so that cache lines are fully used in both directions.
        for top in (0..height).step_by(TILE) {
            for left in (0..width).step_by(TILE) {
                for (below, output) in
                    turned.chunks_exact_mut(width).skip(top).take(TILE).enumerate()
                {
                    let row = top + below;
                    let row = if self.mirror_rows { height - 1 - row } else { row };
                    for (right, output) in output.iter_mut().skip(left).take(TILE).enumerate() {
                        let column = left + right;
                        let column = if self.mirror_columns { width - 1 - column } else { column };
                        let at = if self.transpose { [column, row] } else { [row, column] };
                        *output = plane[at[0] * size[1] + at[1]];
                    }
                }
            }
        }
        turned
    }
}

/// Reads the orientation number from a TIFF structure.
fn exif_number(exif: &[u8]) -> Option<u16> {
    let is_little = match exif.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk::<2>()?;
        Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk::<4>()?;
        Some(if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) } as usize)
    };
    let directory = long(4)?;
    let count = usize::from(short(directory)?);
    (0..count).find_map(|entry| {
        let at = directory.checked_add(2 + entry * 12)?;
        (short(at)? == ORIENTATION).then(|| match short(at + 2)? {
            1 => exif.get(at + 8).copied().map(u16::from),
            4 => long(at + 8).and_then(|number| u16::try_from(number).ok()),
            _ => short(at + 8),
        })?
    })
}

/// Reads the orientation number from an XMP attribute or element.
fn xmp_number(xmp: &[u8]) -> Option<u16> {
    xmp.windows(XMP_ORIENTATION.len()).enumerate().find_map(|(at, window)| {
        let rest = &xmp[at + XMP_ORIENTATION.len()..];
        let number = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?.first()?;
        (window == XMP_ORIENTATION && number.is_ascii_digit()).then(|| u16::from(number - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_eight_orientations_match_pil() {
        // ImageOps.exif_transpose in Pillow 11.3 on [[1, 2, 3], [4, 5, 6]].
        let expected: [&[u8]; 8] = [
            &[1, 2, 3, 4, 5, 6],
            &[3, 2, 1, 6, 5, 4],
            &[6, 5, 4, 3, 2, 1],
            &[4, 5, 6, 1, 2, 3],
            &[1, 4, 2, 5, 3, 6],
            &[4, 1, 5, 2, 6, 3],
            &[6, 3, 5, 2, 4, 1],
            &[3, 6, 2, 5, 1, 4],
        ];
        for (number, expected) in (1..).zip(expected) {
            let mut planes = vec![vec![1, 2, 3, 4, 5, 6]];
            let size = Orientation::of_number(number).apply(&mut planes, [2, 3]);
            assert_eq!(planes[0], expected, "{number}");
            assert_eq!(size, if number < 5 { [2, 3] } else { [3, 2] });
        }
    }

    #[test]
    fn xmp_is_the_fallback_for_exif() {
        let xmp = br#"<rdf:Description tiff:Orientation="6"/>"#;
        let of_number = Orientation::of_number;
        assert_eq!(Orientation::of_metadata(None, Some(xmp)), of_number(6));
        let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0\0";
        assert_eq!(Orientation::of_metadata(Some(exif), Some(xmp)), of_number(8));
        for damaged in [&exif[..16], b"II*\0\xff\xff\xff\xff", b""] {
            assert_eq!(Orientation::of_metadata(Some(damaged), None), of_number(1));
        }
    }
}
