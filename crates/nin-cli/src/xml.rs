//! Removes characters that XML, and therefore SVG, does not allow. The templates escape the others.

/// Removes control characters, and code points that are not characters. Even escaped, one of them makes a whole SVG
/// file unreadable.
pub fn stripped(text: &str) -> String {
    text.chars().filter(|&letter| is_allowed(letter)).collect()
}

/// Returns whether XML 1.0 (section 2.2) allows a character and does not discourage it.
fn is_allowed(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r')
        || !letter.is_control() && u32::from(letter) & 0xfffe != 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_xml_characters_are_left() {
        assert_eq!(stripped("a\0b\u{1b}[2J\u{7f}\u{9b}\u{fffe}\u{1ffff}c"), "ab[2Jc");
        assert_eq!(stripped("Ärmel\t袖\u{1f45f}\n"), "Ärmel\t袖\u{1f45f}\n");
    }
}
