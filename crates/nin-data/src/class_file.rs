//! Files of class names: one a line.

use std::io::Read;
use std::path::Path;

use crate::files::{Content, malformed, open, unreadable};
use crate::{DataError, sha256};

/// No list of names is longer.
const LONGEST_NAMES: u64 = 1 << 20;

/// The classes' names, one a line, from a file such as `batches.meta.txt`, and the SHA-256 of its
/// uncompressed bytes. Empty lines are passed over.
pub(crate) fn read_names(path: &Path) -> Result<(Vec<String>, String), DataError> {
    let mut bytes = Vec::new();
    let read = match Content::of(path, open(path)?)? {
        Content::Plain(reader) => reader.take(LONGEST_NAMES + 1).read_to_end(&mut bytes),
        Content::Gzip(reader) => reader.take(LONGEST_NAMES + 1).read_to_end(&mut bytes),
    };
    read.map_err(|source| unreadable(path, bytes.len(), source))?;
    if bytes.len() as u64 > LONGEST_NAMES {
        return Err(malformed(path, &format!("at most {LONGEST_NAMES} bytes of names"), "more"));
    }
    let sum = sha256(&bytes);
    let text = String::from_utf8(bytes).map_err(|error| {
        let found = format!("a wrong byte at {}", error.utf8_error().valid_up_to());
        malformed(path, "names in UTF-8", &found)
    })?;
    let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<String> = names.map(str::to_owned).collect();
    Ok((names, sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::made::file;

    #[test]
    fn names_are_lines_of_text() {
        let (names, _) = read_names(file(b"a\nb c\r\n\n d \n").path()).unwrap();
        assert_eq!(names, ["a", "b c", "d"]);
        for (expected, bytes) in [
            ("names in UTF-8, found a wrong byte at 1", vec![b'a', 0xff]),
            ("at most 1048576 bytes of names, found more", vec![b'\n'; 1 << 21]),
        ] {
            let error = read_names(file(&bytes).path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} should say {expected}");
        }
    }
}
