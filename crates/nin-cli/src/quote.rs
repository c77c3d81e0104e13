//! Quotes words for a shell.
//!
//! Not with the crate `shlex`: it also quotes `data.test=0.2` and letters outside ASCII, and these
//! commands are there to be read.

use std::path::Path;

/// Quotes a word, if a shell would not pass it on as it is.
pub fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+:,@%=".contains(letter);
    if word.chars().all(is_plain) && !word.is_empty() {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Quotes a path.
pub fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}
