//! Parses `labels.csv`: one row per picture, with the header `path,label` and optionally `split`.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Component, Path};

use unicode_normalization::UnicodeNormalization;

use super::part::Part;
use crate::DataError;
use crate::files::open;

/// The file name of the table of labels.
pub(super) const TABLE: &str = "labels.csv";

/// The size limit of a table, in bytes.
const LONGEST_TABLE: u64 = 256 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The path relative to the folder of the table, with `/` separators.
    pub(super) path: String,
    pub(super) label: String,
    pub(super) part: Option<Part>,
}

/// Reads the table of a data set. Checks each row and that its file exists.
pub(super) fn read(root: &Path, path: &Path) -> Result<Vec<Row>, DataError> {
    let mut bytes = Vec::new();
    let unreadable = |source| DataError::Read { path: path.to_owned(), source };
    open(path)?.take(LONGEST_TABLE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST_TABLE {
        let expected = format!("at most {LONGEST_TABLE} bytes");
        return Err(refused(path, 0, &expected, "more"));
    }
    let rows = parse(path, &bytes)?;
    for (number, row) in &rows {
        if !root.join(&row.path).is_file() {
            return Err(refused(path, *number, "the path of a file", &format!("`{}`", row.path)));
        }
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// Parses the rows, each with its number; the header is row 1.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<(usize, Row)>, DataError> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let malformed = |number: usize, error: &csv::Error| {
        let number = error.position().map_or(number, |position| position.record() as usize + 1);
        refused(
            path,
            number,
            "CSV in UTF-8, each row with as many fields as the header",
            &in_words(error),
        )
    };
    let header = reader.headers().map_err(|error| malformed(1, &error))?.clone();
    let column = |name: &str| header.iter().position(|field| field.eq_ignore_ascii_case(name));
    let (Some(path_at), Some(label_at)) = (column("path"), column("label")) else {
        let found = format!("`{}`", header.iter().collect::<Vec<_>>().join(","));
        return Err(refused(path, 1, "the header `path,label` or `path,label,split`", &found));
    };
    let part_at = column("split");
    let mut first_seen: HashMap<String, usize> = HashMap::new();
    let mut rows = Vec::new();
    for (at, record) in reader.records().enumerate() {
        let number = at + 2;
        let record = record.map_err(|error| malformed(number, &error))?;
        let field = |at: usize| record.get(at).unwrap_or_default();
        let picture = relative(field(path_at)).ok_or_else(|| {
            let found = format!("`{}`", field(path_at));
            refused(path, number, "a path within the folder, without `..`", &found)
        })?;
        if let Some(first) = first_seen.insert(picture.clone(), number) {
            let found = format!("`{picture}` again, first in row {first}");
            return Err(refused(path, number, "each path once", &found));
        }
        let label: String = field(label_at).nfc().collect();
        if label.is_empty() {
            return Err(refused(path, number, "a label", "none"));
        }
        let part = part_at.map(field).map(|name| {
            Part::named(name).ok_or_else(|| {
                refused(path, number, "the split `train`, `val` or `test`", &format!("`{name}`"))
            })
        });
        rows.push((number, Row { path: picture, label, part: part.transpose()? }));
    }
    Ok(rows)
}

/// Normalizes a path to `/` separators. Returns `None` if it is empty, absolute or leaves its folder.
fn relative(path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    let mut parts = Vec::new();
    for component in Path::new(&path).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part.to_str()?),
            _ => return None,
        }
    }
    let has_drive = parts.first().is_some_and(|first| first.ends_with(':'));
    (!parts.is_empty() && !has_drive).then(|| parts.join("/"))
}

fn in_words(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields instead of {expected_len}")
        }
        csv::ErrorKind::Utf8 { err, .. } => format!("field {} is not UTF-8", err.field() + 1),
        _ => error.to_string(),
    }
}

fn refused(path: &Path, row: usize, expected: &str, found: &str) -> DataError {
    DataError::Table {
        path: path.to_owned(),
        row,
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Row>, DataError> {
        let rows = parse(Path::new("labels.csv"), text.as_bytes())?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    #[test]
    fn quoted_fields_a_byte_order_mark_and_any_column_order_are_accepted() {
        let text =
            "\u{feff}label,split,path\r\n\"a, b\",val,\"x, y.png\"\n c ,train, ./d\\e.jpg \n";
        let rows = parsed(text).unwrap();
        let row = |path: &str, label: &str, part| Row {
            path: path.to_owned(),
            label: label.to_owned(),
            part: Some(part),
        };
        let expected =
            [row("x, y.png", "a, b", Part::Validation), row("d/e.jpg", "c", Part::Train)];
        assert_eq!(rows, expected);
    }

    #[test]
    fn errors_name_the_row() {
        for (text, row, found) in [
            ("file,label\na,b\n", 1, "`file,label`"),
            ("path,label\na,b\n/etc/passwd,b\n", 3, "`/etc/passwd`"),
            ("path,label\n../a,b\n", 2, "`../a`"),
            ("path,label\nC:\\a.png,b\n", 2, "`C:\\a.png`"),
            ("path,label\na,b\nc,b\n./a,d\n", 4, "again, first in row 2"),
            ("path,label\na,\n", 2, "none"),
            ("path,label\na,b\na,b,c\n", 3, "3 fields instead of 2"),
            ("path,label,split\na,b,dev\n", 2, "`dev`"),
            ("path,label,split\na,b,\n", 2, "``"),
        ] {
            let error = parsed(text).unwrap_err();
            let DataError::Table { row: at, found: said, .. } = &error else { panic!("{error}") };
            assert!(*at == row && said.contains(found), "{text}: {error}");
        }
        let error = parse(Path::new("labels.csv"), b"path,label\na,\xff\n").unwrap_err();
        assert!(error.to_string().contains("row 2"), "{error}");
    }
}
