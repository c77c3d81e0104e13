//! The page around the sections, and the elements that sections share.

use std::fmt::Display;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::drawing;
use crate::xml::stripped;

/// The report's file within a run's folder.
pub const FILE: &str = "report.html";

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// The policy of a page: only its own styles and scripts, and embedded pictures.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
                      script-src 'unsafe-inline'";

/// A part of the page, with its place in the navigation.
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) body: Markup,
}

/// Returns a section whose content cannot be shown.
pub(super) fn missing(id: &'static str, title: &'static str, reason: &str) -> Section {
    Section { id, title, body: html! { p class="missing" { "Not shown: " (reason) "." } } }
}

/// Returns the whole page.
pub(super) fn page(run: &str, verdict: &Markup, sections: &[Section]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (run) ": report of a run" }
                style { (PreEscaped(drawing::STYLE)) (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#content" { "Skip to the content" }
                header {
                    h1 { (run) }
                    (verdict)
                }
                nav aria-label="Sections" {
                    ul {
                        @for Section { id, title, .. } in sections {
                            li { a href={ "#" (id) } { (title) } }
                        }
                    }
                }
                main id="content" {
                    @for Section { id, title, body } in sections {
                        "\n"
                        section id=(id) aria-labelledby={ (id) "-title" } {
                            h2 id={ (id) "-title" } { (title) }
                            (body)
                        }
                    }
                }
                footer { p { "Written by nin-cli " (env!("CARGO_PKG_VERSION")) "." } }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    stripped(&page.into_string()) + "\n"
}

/// Returns a table that scrolls if the page is narrower. The first cell of each row is its header.
pub(super) fn table(caption: &str, head: &[&str], rows: &[Vec<Markup>]) -> Markup {
    let table = html! {
        table {
            caption { span { (caption) } }
            thead { tr { @for cell in head { th scope="col" { (cell) } } } }
            tbody {
                @for row in rows {
                    "\n"
                    tr {
                        @for (at, cell) in row.iter().enumerate() {
                            @if at == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                        }
                    }
                }
            }
        }
    };
    scrolling(caption, &table)
}

/// Returns text as a cell of a table.
pub(super) fn cell(text: impl Display) -> Markup {
    html! { (text) }
}

/// Returns wide content that scrolls, also by keyboard.
pub(super) fn scrolling(label: &str, content: &Markup) -> Markup {
    html! { div class="wide" role="region" aria-label=(label) tabindex="0" { (content) } }
}

/// Returns a picture within the page.
pub(super) fn image(png: &[u8], alternative: &str, [height, width]: [usize; 2]) -> Markup {
    let source = format!("data:image/png;base64,{}", STANDARD.encode(png));
    html! { img alt=(alternative) width=(width) height=(height) loading="lazy" src=(source); }
}

/// Formats a share as a percentage with one decimal, or a dash for `None`.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1}\u{a0}%", share * 100.0))
}

/// Returns a class name whose words do not break at a hyphen or a slash, such as `T-shirt/top`. A word that is too
/// long for a column may break.
pub(super) fn unbroken(name: &str) -> Markup {
    const LONGEST: usize = 16;
    let stays = |word: &str| word.contains(['-', '/']) && word.chars().count() <= LONGEST;
    html! {
        @for (at, word) in name.split(' ').enumerate() {
            @if at > 0 { " " }
            @if stays(word) { span class="word" { (word) } } @else { (word) }
        }
    }
}

/// Formats `1234567` as `1,234,567`, as the tables of the terminal and the page of `serve` do.
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
        let page = page("<script>\u{8}", &html! {}, &[missing("a", "A", "<b>")]);
        assert!(page.contains("<title>&lt;script&gt;: report"));
        assert!(page.contains("Not shown: &lt;b&gt;."));
    }

    #[test]
    fn words_with_hyphens_stay_whole_unless_they_are_long() {
        let unbroken = |name| unbroken(name).into_string();
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
