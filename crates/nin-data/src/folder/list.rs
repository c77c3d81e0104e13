//! The list of pictures in use as CSV: `path,label,split,sha256`.

use super::inventory::Inventory;
use super::part::Part;
use crate::checksum::hexadecimal;

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureRow {
    /// The path of the picture, relative to the folder of the data set.
    pub path: String,
    /// The name of its class.
    pub label: String,
    /// The name of its part.
    pub part: String,
    /// The SHA-256 of its file, in hexadecimal.
    pub sha256: String,
}

/// Parses a list of pictures. Skips malformed rows.
pub fn parse_picture_list(list: &[u8]) -> Vec<PictureRow> {
    let mut reader = csv::Reader::from_reader(list);
    let row = |record: csv::StringRecord| {
        let field = |at: usize| record.get(at).unwrap_or_default().to_owned();
        PictureRow { path: field(0), label: field(1), part: field(2), sha256: field(3) }
    };
    reader.records().filter_map(Result::ok).map(row).collect()
}

/// Writes the list of the pictures for which `is_used` holds.
pub(super) fn write(
    inventory: &Inventory,
    parts: &[Part],
    is_used: impl Fn(usize) -> bool,
) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = writer.write_record(["path", "label", "split", "sha256"]);
    let pictures = inventory.listing.pictures.iter().enumerate();
    for (at, picture) in pictures.filter(|(at, _)| is_used(*at)) {
        let class = &inventory.listing.classes[usize::from(picture.class)];
        let sum = hexadecimal(&inventory.files[at].sha256);
        let _ = writer.write_record([picture.path.as_str(), class, parts[at].name(), &sum]);
    }
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_fields_are_parsed() {
        let rows =
            parse_picture_list(b"path,label,split,sha256\n\"a, b.png\",\"x \"\"y\"\"\",test,12\n");
        let expected = PictureRow {
            path: "a, b.png".to_owned(),
            label: "x \"y\"".to_owned(),
            part: "test".to_owned(),
            sha256: "12".to_owned(),
        };
        assert_eq!(rows, [expected]);
    }
}
