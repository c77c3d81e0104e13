//! The HTML of the page, from its template.

use super::files::HTML;

/// What differs between the page of a server and the page in one file, as HTML.
pub struct Slots<'a> {
    /// The icon, the style sheet and the script.
    pub head: &'a str,
    /// The advice to browsers without JavaScript.
    pub without_scripts: &'a str,
    /// What becomes of pictures.
    pub privacy: &'a str,
    /// Links in the footer, each with a comma.
    pub links: &'a str,
    /// Data at the end.
    pub data: &'a str,
}

/// Returns the page.
pub fn html(slots: &Slots<'_>) -> String {
    HTML.replace("{{head}}", slots.head)
        .replace("{{without_scripts}}", slots.without_scripts)
        .replace("{{privacy}}", slots.privacy)
        .replace("{{links}}", slots.links)
        .replace("{{data}}", slots.data)
}
