//! The table of unusual pictures (`table.txt`, written by `reference.py`): PIL's result for each, or the
//! expected error. It tests every path from a file to a tensor; tests of other crates include this file by
//! its path.

use std::fs;
use std::path::{Path, PathBuf};

/// The input size `[height, width]` that the fitted pictures of the table have.
pub(crate) const INPUT: [usize; 2] = [24, 20];

/// A picture of the table.
pub(crate) struct Row {
    /// The name of the file.
    pub name: String,
    /// The path of the file.
    pub path: PathBuf,
    /// The expected result.
    pub expected: Expected,
}

/// The expected result of decoding a picture.
#[allow(dead_code, reason = "nin-cli includes this file too, and compares no hashes")]
pub(crate) enum Expected {
    /// The picture is decoded.
    Decoded {
        /// `[height, width]`, upright.
        size: [usize; 2],
        /// The hashes of the picture in colour.
        colour: Hashes,
        /// The hashes of the picture in grey.
        grey: Hashes,
    },
    /// Decoding fails with an error that contains these words.
    Refused(String),
}

/// The first digits of the SHA-256 of all planes, one after the other.
#[allow(dead_code, reason = "as above")]
pub(crate) struct Hashes {
    /// The hash of the decoded picture.
    pub whole: String,
    /// The hashes after reducing and fitting: stretched, cropped and padded.
    pub fitted: [String; 3],
}

/// Reads all rows.
pub(crate) fn rows() -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nin-data/tests/suite/pictures");
    let table = fs::read_to_string(folder.join("table.txt")).unwrap();
    table.lines().filter(|line| !line.starts_with('#')).map(|line| row(&folder, line)).collect()
}

fn row(folder: &Path, line: &str) -> Row {
    let (name, rest) = line.split_once(' ').unwrap();
    let (kind, rest) = rest.split_once(' ').unwrap();
    let expected = if kind == "refused" {
        Expected::Refused(rest.to_owned())
    } else {
        let mut fields = rest.split(' ');
        let mut next = || fields.next().unwrap().parse().unwrap();
        let size = [next(), next()];
        let mut hash = || fields.next().unwrap().to_owned();
        let mut hashes = || Hashes { whole: hash(), fitted: [hash(), hash(), hash()] };
        Expected::Decoded { size, colour: hashes(), grey: hashes() }
    };
    Row { name: name.to_owned(), path: folder.join(name), expected }
}
