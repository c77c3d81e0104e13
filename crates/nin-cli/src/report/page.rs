//! The page around the sections: head, style, navigation, and what all sections are written with.

use std::fmt::Display;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::xml::escaped;

/// The report's file within a run's folder.
pub const FILE: &str = "report.html";

/// Colours, light and dark, and what figures are drawn with: on the page and in files of their own.
pub(super) const FIGURES: &str = include_str!("figures.css");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A part of the page, with its place in the navigation.
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) body: String,
}

/// A section whose content is not to be had.
pub(super) fn missing(id: &'static str, title: &'static str, reason: &str) -> Section {
    Section { id, title, body: format!("<p class=\"missing\">Not shown: {}.</p>", escaped(reason)) }
}

/// The whole page.
pub(super) fn page(run: &str, verdict: &str, sections: &[Section]) -> String {
    let run = escaped(run);
    let version = env!("CARGO_PKG_VERSION");
    let links: Vec<_> = sections
        .iter()
        .map(|section| format!("<li><a href=\"#{}\">{}</a></li>", section.id, section.title))
        .collect();
    let bodies: Vec<_> = sections
        .iter()
        .map(|Section { id, title, body }| {
            format!(
                "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n\
                 <h2 id=\"{id}-title\">{title}</h2>\n{body}\n</section>"
            )
        })
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <title>{run}: report of a run</title>\n<style>\n{FIGURES}{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#content\">Skip to the content</a>\n\
         <header>\n<h1>{run}</h1>\n{verdict}\n</header>\n\
         <nav aria-label=\"Sections\"><ul>{}</ul></nav>\n\
         <main id=\"content\">\n{}\n</main>\n\
         <footer><p>Written by nin-cli {version}.</p></footer>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        links.concat(),
        bodies.join("\n")
    )
}

/// Parts one behind the other.
pub(super) fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().concat()
}

/// A table that scrolls by itself where the page is narrower. The first cell of each row heads it;
/// cells are HTML.
pub(super) fn table(caption: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    let head = joined(head.iter().map(|cell| format!("<th scope=\"col\">{cell}</th>")));
    let rows = joined(rows.iter().map(|row| {
        let cells = row.iter().enumerate().map(|(at, cell)| match at {
            0 => format!("<th scope=\"row\">{cell}</th>"),
            _ => format!("<td>{cell}</td>"),
        });
        format!("<tr>{}</tr>\n", joined(cells))
    }));
    scrolling(
        caption,
        &format!(
            "<table>\n<caption><span>{caption}</span></caption>\n<thead><tr>{head}</tr></thead>\n\
             <tbody>\n{rows}</tbody>\n</table>"
        ),
    )
}

/// Something wide that scrolls by itself, by keyboard too.
pub(super) fn scrolling(label: &str, content: &str) -> String {
    format!(
        "<div class=\"wide\" role=\"region\" aria-label=\"{label}\" tabindex=\"0\">{content}</div>"
    )
}

/// A picture within the page.
pub(super) fn image(png: &[u8], alternative: &str, [height, width]: [usize; 2]) -> String {
    format!(
        "<img alt=\"{}\" width=\"{width}\" height=\"{height}\" loading=\"lazy\" \
         src=\"data:image/png;base64,{}\">",
        escaped(alternative),
        STANDARD.encode(png)
    )
}

/// A share as a percentage with one digit behind the point; a dash for none.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1}\u{a0}%", share * 100.0))
}

/// A class's name whose words do not break at a hyphen or a slash: `T-shirt/top` stays in one piece. A
/// word that is too long for a column may break. Escaped.
pub(super) fn unbroken(name: &str) -> String {
    const LONGEST: usize = 16;
    let words = name.split(' ').map(|word| {
        let may_break = word.contains(['-', '/']);
        let word = (escaped(word), may_break && word.chars().count() <= LONGEST);
        match word {
            (word, true) => format!("<span class=\"word\">{word}</span>"),
            (word, false) => word,
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// `1234567` as `1,234,567`: as the tables of the terminal and the page of `serve` have it.
pub(super) fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_and_no_markup() {
        let page = page("<script>", "", &[missing("a", "A", "<b>")]);
        assert!(page.contains("<title>&lt;script&gt;: report"));
        assert!(page.contains("Not shown: &lt;b&gt;."));
    }

    #[test]
    fn words_with_hyphens_stay_whole_unless_they_are_long() {
        assert_eq!(unbroken("Ankle boot"), "Ankle boot");
        assert_eq!(unbroken("a T-<b"), "a <span class=\"word\">T-&lt;b</span>");
        let long = "a-word-that-no-column-holds";
        assert_eq!(unbroken(long), long);
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!(grouped(1_992_166), "1,992,166");
        assert_eq!(grouped(999), "999");
    }
}
