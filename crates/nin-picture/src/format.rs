//! Picture formats, detected by their first bytes or by file extension.

use image::ImageFormat;

use super::PictureError;

/// A picture format that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureFormat {
    /// JPEG, baseline or progressive.
    Jpeg,
    /// PNG; for an animation, the default image.
    Png,
    /// WebP; the first frame of an animation.
    WebP,
    /// GIF; the first frame of an animation.
    Gif,
    /// BMP.
    Bmp,
    /// TIFF; the first of several pages.
    Tiff,
}

/// File extensions of supported pictures, in lower case.
const ENDINGS: [(&str, PictureFormat); 10] = [
    ("jpg", PictureFormat::Jpeg),
    ("jpeg", PictureFormat::Jpeg),
    ("jpe", PictureFormat::Jpeg),
    ("jfif", PictureFormat::Jpeg),
    ("png", PictureFormat::Png),
    ("webp", PictureFormat::WebP),
    ("gif", PictureFormat::Gif),
    ("bmp", PictureFormat::Bmp),
    ("tif", PictureFormat::Tiff),
    ("tiff", PictureFormat::Tiff),
];
/// File extensions of known but unsupported pictures.
const FOREIGN_ENDINGS: [(&str, &str); 6] = [
    ("heic", "HEIC"),
    ("heif", "HEIC"),
    ("hif", "HEIC"),
    ("avif", "AVIF"),
    ("jxl", "JPEG XL"),
    ("jp2", "JPEG 2000"),
];

impl PictureFormat {
    /// Returns the name of the format.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
        }
    }

    /// Detects the format of a file by its first bytes.
    ///
    /// # Errors
    /// Returns [`PictureError::ForeignFormat`] for a known but unsupported format, else
    /// [`PictureError::UnknownFormat`].
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, PictureError> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Ok(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Self::WebP),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Ok(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Self::Gif),
            [b'B', b'M', ..] => Ok(Self::Bmp),
            // BigTIFF has 43 in place of 42.
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Ok(Self::Tiff),
            _ => match foreign_format(bytes) {
                Some(format) => Err(PictureError::ForeignFormat { format }),
                None => Err(PictureError::UnknownFormat),
            },
        }
    }

    /// Returns the format of a file extension, ignoring case.
    pub fn of_ending(ending: &str) -> Option<Self> {
        find(&ENDINGS, ending)
    }

    pub(super) const fn codec(self) -> ImageFormat {
        match self {
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::WebP => ImageFormat::WebP,
            Self::Gif => ImageFormat::Gif,
            Self::Bmp => ImageFormat::Bmp,
            Self::Tiff => ImageFormat::Tiff,
        }
    }
}

/// Returns the name of a known but unsupported picture format, given a file extension.
pub fn foreign_ending(ending: &str) -> Option<&'static str> {
    find(&FOREIGN_ENDINGS, ending)
}

fn find<T: Copy>(endings: &[(&str, T)], ending: &str) -> Option<T> {
    let found = endings.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending));
    found.map(|&(_, value)| value)
}

fn foreign_format(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', brands @ ..] => {
            // The major brand, the version, and the compatible brands.
            let (brands, _) = brands.as_chunks::<4>();
            let has =
                |names: &[&[u8; 4]]| brands.iter().take(16).any(|brand| names.contains(&brand));
            if has(&[b"avif", b"avis"]) {
                Some("AVIF")
            } else {
                has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"])
                    .then_some("HEIC")
            }
        }
        [0xFF, 0x0A, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => Some("JPEG XL"),
        [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] => Some("JPEG 2000"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_detected_by_their_first_bytes() {
        assert!(matches!(PictureFormat::of_bytes(b"GIF89a...."), Ok(PictureFormat::Gif)));
        for (bytes, name) in [
            (&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], "HEIC"),
            (&b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf"[..], "AVIF"),
            (&b"\xff\x0a\x00"[..], "JPEG XL"),
        ] {
            let error = PictureFormat::of_bytes(bytes).unwrap_err();
            assert!(matches!(error, PictureError::ForeignFormat { format } if format == name));
        }
        for bytes in [&b""[..], b"\xff\xd8", b"\0\0\0\x18ftypisom", b"<svg>"] {
            let error = PictureFormat::of_bytes(bytes).unwrap_err();
            assert!(matches!(error, PictureError::UnknownFormat));
        }
        assert_eq!(PictureFormat::of_ending("JPEG"), Some(PictureFormat::Jpeg));
        assert_eq!(foreign_ending("HEIC"), Some("HEIC"));
    }
}
