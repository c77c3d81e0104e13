//! Escapes untrusted text for a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Escapes everything that a terminal would act upon: control characters, including line breaks, and marks that
/// change the direction of text. A file name can then neither clear the screen nor imitate an `error:` line.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(is_unprintable) {
        Cow::Owned(escaped(text, is_unprintable))
    } else {
        Cow::Borrowed(text)
    }
}

/// Escapes and joins lines with names in them. Each stays one line.
pub fn printable_text(lines: &[String]) -> String {
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

/// Escapes a text of several lines and keeps its line breaks.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    let is_unprintable = |letter| letter != '\n' && letter != '\t' && is_unprintable(letter);
    if text.contains(is_unprintable) {
        Cow::Owned(escaped(text, is_unprintable))
    } else {
        Cow::Borrowed(text)
    }
}

/// Escapes JSON with JSON's own escapes. These characters only occur in its strings.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_unprintable) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_unprintable(letter) {
            // All of them are in the basic plane, so four digits suffice. Writing to a string does not fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(letter));
        } else {
            escaped.push(letter);
        }
    }
    Cow::Owned(escaped)
}

fn is_unprintable(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, is_unprintable: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_unprintable(letter) {
            escaped.extend(letter.escape_default());
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("n/esc\u{1b}[2Jclear.png"), "n/esc\\u{1b}[2Jclear.png");
        assert_eq!(
            printable("a\nerror: b\r\t\u{9b}\u{202e}"),
            "a\\nerror: b\\r\\t\\u{9b}\\u{202e}"
        );
        assert_eq!(printable_lines("a\n\tb\u{7}"), "a\n\tb\\u{7}");
        assert_eq!(printable_json("\"a\u{9b}\u{202e}\""), r#""a\u009b\u202e""#);
        assert_eq!(printable_text(&["a\nb".to_owned(), "c".to_owned()]), "a\\nb\nc");
        assert!(matches!(printable("Ärmel 袖.png"), Cow::Borrowed(_)));
    }
}
