//! Pictures for `predict`.

use std::fs;
use std::path::Path;

use super::Case;
use crate::predict::bomb;

/// Runs `predict` on a file with these bytes, with the embedded network.
fn picture(name: &'static str, bytes: Vec<u8>, expected: &[&'static str]) -> Case {
    let prepare = move |folder: &Path| fs::write(folder.join(name), &bytes).unwrap();
    Case::after(prepare, &["predict", name], expected)
}

/// Returns a valid PNG of this side.
fn png() -> Vec<u8> {
    bomb(8)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        picture(
            "bomb.png",
            bomb(60_000),
            &[
                "`bomb.png`: 60000x60000 pixels are more than the limit of 67108864",
                "scale it down",
            ],
        ),
        picture(
            "huge.png",
            bomb(u32::MAX >> 1),
            &["`huge.png`: unsupported kind of PNG: Memory limit exceeded"],
        ),
        picture(
            "cut.png",
            png()[..png().len() / 2].to_vec(),
            &["`cut.png`: incomplete or damaged PNG picture", "cut off or damaged"],
        ),
        picture(
            "cut.jpg",
            b"\xff\xd8\xff\xe0".to_vec(),
            &["`cut.jpg`: incomplete or damaged JPEG picture"],
        ),
        picture(
            "text.png",
            b"no picture at all".to_vec(),
            &["`text.png`: neither JPEG, PNG, WebP, GIF, BMP nor TIFF", "convert other formats"],
        ),
        picture(
            "empty.webp",
            Vec::new(),
            &["`empty.webp`: neither JPEG, PNG, WebP, GIF, BMP nor TIFF"],
        ),
        Case::new(&["predict", "none.png"], &["`none.png`: cannot read it", "No such file"]),
        Case::after(
            |folder| fs::create_dir(folder.join("album")).unwrap(),
            &["predict", "album"],
            &["`album`: the folder holds no JPEG, PNG, WebP, GIF, BMP or TIFF file"],
        ),
        Case::after(
            |folder| {
                fs::write(folder.join("whole.png"), png()).unwrap();
                fs::write(folder.join("maps"), "text").unwrap();
            },
            &["predict", "whole.png", "--maps", "maps"],
            &["cannot create the folder `maps`", "File exists", "that you may write to"],
        ),
    ]
}
