//! Unusual and damaged pictures: decoded bit-identically to PIL, including JPEG, or a specific error.

mod table;

use std::fs;

use nin_data::{Picture, PictureError, PictureHeader, sha256};
use nin_preprocessing::{Fit, Preprocessing};
use table::{Expected, Hashes, INPUT, rows};

fn hash(picture: &Picture) -> String {
    sha256(&picture.planes.concat())[..16].to_owned()
}

fn assert_equal(name: &str, picture: &Picture, expected: &Hashes) {
    assert_eq!(hash(picture), expected.whole, "{name}");
    for (fit, expected) in Fit::ALL.into_iter().zip(&expected.fitted) {
        let preprocessing = Preprocessing { fit: Some(fit), ..Preprocessing::resized(INPUT) };
        let fitted = picture.clone().fitted(&preprocessing);
        assert_eq!(fitted.size, INPUT);
        assert_eq!(&hash(&fitted), expected, "{name}, {fit}");
    }
}

#[test]
fn unusual_pictures_match_pil_or_give_the_expected_error() {
    let mut decoded = 0;
    for row in rows() {
        let picture = Picture::decode(&fs::read(&row.path).unwrap());
        match row.expected {
            Expected::Decoded { size, colour, grey } => {
                let picture = picture.unwrap_or_else(|error| panic!("{}: {error}", row.name));
                assert_eq!(picture.size, size, "{}", row.name);
                assert_equal(&row.name, &picture.clone().into_colour(), &colour);
                assert_equal(&row.name, &picture.into_grey(), &grey);
                decoded += 1;
            }
            Expected::Refused(words) => {
                let error = picture.expect_err(&row.name).to_string();
                assert!(error.contains(&words), "{}: {error}", row.name);
            }
        }
    }
    assert!(decoded >= 40, "{decoded}");
}

/// Truncation is detected in every format, unless no pixel is missing.
#[test]
fn truncation_anywhere_is_an_error() {
    let names = [
        "jpeg-420.jpg",
        "jpeg-progressive.jpg",
        "jpeg-restart.jpg",
        "jpeg-cmyk.jpg",
        "png-palette-4.png",
        "webp-lossless.webp",
        "webp-lossy.webp",
        "gif-plain.gif",
        "bmp-8.bmp",
        "tiff-rgb-lzw.tif",
    ];
    for row in rows().into_iter().filter(|row| names.contains(&row.name.as_str())) {
        let bytes = fs::read(&row.path).unwrap();
        let whole = Picture::decode(&bytes).unwrap();
        for length in (0..bytes.len()).step_by(bytes.len().div_ceil(150)) {
            if let Ok(picture) = Picture::decode(&bytes[..length]) {
                assert_eq!(picture, whole, "{} cut to {length} bytes", row.name);
            }
        }
    }
}

/// JPEG data overwritten with zeros is detected from 64 bytes on, or from 160 bytes if it is progressive.
/// Other formats reveal less.
#[test]
fn zeroed_jpeg_data_is_an_error() {
    for (name, erased) in [
        ("jpeg-420.jpg", 64),
        ("jpeg-grey.jpg", 64),
        ("jpeg-optimized.jpg", 64),
        ("jpeg-large.jpg", 64),
    ] {
        let row = rows().into_iter().find(|row| row.name == name).unwrap();
        let bytes = fs::read(&row.path).unwrap();
        let data = bytes.windows(2).rposition(|marker| marker == [0xFF, 0xDA]).unwrap() + 14;
        for at in (data..bytes.len() - erased - 2).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at..at + erased].fill(0);
            assert!(Picture::decode(&damaged).is_err(), "{name}: {erased} bytes from {at}");
        }
    }
}

fn table_file(name: &str) -> Vec<u8> {
    fs::read(rows().into_iter().find(|row| row.name == name).unwrap().path).unwrap()
}

#[test]
fn a_picture_without_pixels_is_an_error() {
    let mut gif = table_file("gif.gif");
    gif[6..10].fill(0);
    for error in [Picture::decode(&gif).unwrap_err(), PictureHeader::read(&gif).unwrap_err()] {
        assert_eq!(error.to_string(), "incomplete or damaged GIF picture: it has no pixels");
    }
}

#[test]
fn a_side_that_is_too_long_is_an_error() {
    let mut png = table_file("png-grey-8.png");
    let refused =
        |png: &[u8]| [Picture::decode(png).unwrap_err(), PictureHeader::read(png).unwrap_err()];
    for (width, is_long) in [(65_536_u32, true), (65_535, false)] {
        png[16..20].copy_from_slice(&width.to_be_bytes());
        png[20..24].copy_from_slice(&1_u32.to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&png[12..29]);
        png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        if is_long {
            for error in refused(&png) {
                assert!(matches!(error, PictureError::SideTooLong { .. }), "{error}");
            }
        } else {
            assert_eq!(PictureHeader::read(&png).unwrap().size, [1, 65_535]);
        }
    }
}

/// PIL accepts such files, because all pixels are present.
#[test]
fn a_bmp_that_claims_to_be_longer_is_decoded() {
    for name in ["bmp-1.bmp", "bmp-8.bmp", "bmp-24.bmp", "bmp-32.bmp"] {
        let bytes = table_file(name);
        let whole = Picture::decode(&bytes).unwrap();
        let mut longer = bytes.clone();
        longer[2..6].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Picture::decode(&longer).unwrap(), whole, "{name}");
        for cut in [4, bytes.len() / 4, bytes.len() / 2] {
            assert!(Picture::decode(&longer[..bytes.len() - cut]).is_err(), "{name} less {cut}");
        }
    }
}
