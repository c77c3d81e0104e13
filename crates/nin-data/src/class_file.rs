//! Files of class names, one per line.

use std::io::Read;
use std::path::Path;

use crate::files::{Content, malformed, open, unreadable};
use crate::{DataError, sha256};

/// The size limit of a list of names, in bytes.
const LONGEST_NAMES: u64 = 1 << 20;

/// Reads class names, one per line, from a file such as `batches.meta.txt`. Skips empty lines. Also returns
/// the SHA-256 of the uncompressed bytes.
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
        let found = format!("an invalid byte at {}", error.utf8_error().valid_up_to());
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
            ("names in UTF-8, found an invalid byte at 1", vec![b'a', 0xff]),
            ("at most 1048576 bytes of names, found more", vec![b'\n'; 1 << 21]),
        ] {
            let error = read_names(file(&bytes).path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} should say {expected}");
        }
    }
}
