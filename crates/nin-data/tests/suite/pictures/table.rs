//! The table of odd pictures (`table.txt`, written by `reference.py`): what PIL makes of each, or that
//! it is refused. Every way from a file to a tensor is tested with it; other crates' tests include this
//! file by its path.

use std::fs;
use std::path::{Path, PathBuf};

/// `[height, width]` of the input that the table's hashes of fitted pictures are of.
#[allow(dead_code)] // not every test looks at fitted pictures
pub(crate) const INPUT: [usize; 2] = [24, 20];

/// A picture of the table.
pub(crate) struct Row {
    /// The file's name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What is to become of it.
    pub expected: Expected,
}

/// What is to become of a picture.
#[allow(dead_code)]
pub(crate) enum Expected {
    /// It is decoded.
    Decoded {
        /// `[height, width]`, upright.
        size: [usize; 2],
        /// In colour.
        colour: Hashes,
        /// In grey.
        grey: Hashes,
    },
    /// It is refused, by these words.
    Refused(String),
}

/// The start of the SHA-256 of all planes, one after the other.
#[allow(dead_code)]
pub(crate) struct Hashes {
    /// As decoded.
    pub whole: String,
    /// Reduced and fitted: stretched, cropped and padded.
    pub fitted: [String; 3],
}

/// All rows.
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
