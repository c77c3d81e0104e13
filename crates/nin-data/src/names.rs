//! Lists of names in messages.

/// The number of names that a list spells out.
const NAMED: usize = 5;

/// Lists the first names in backticks and counts the rest.
pub(crate) fn named(names: &[String]) -> String {
    let first: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
