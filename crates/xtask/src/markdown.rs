//! The links, anchors and headings of a Markdown page.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{BrokenLink, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

/// What a page links to, and what other pages can link to in it.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Targets of links and images, in HTML too.
    pub(crate) links: Vec<Link>,
    /// Anchors of headings, by GitHub's rules, and of HTML elements.
    pub(crate) anchors: BTreeSet<String>,
    /// Reference-style links without a definition.
    pub(crate) undefined: Vec<Link>,
}

/// A link or an image.
#[derive(Debug, PartialEq)]
pub(crate) struct Link {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The target as written.
    pub(crate) target: String,
}

impl Page {
    /// Parses a page as GitHub does.
    pub(crate) fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let mut undefined = Vec::new();
        let mut keep = |link: BrokenLink<'_>| {
            // `[batch, channels]` alone is text; `[text][name]` is meant as a link.
            if matches!(link.link_type, LinkType::Reference | LinkType::Collapsed) {
                undefined.push((link.span.start, link.reference.to_string()));
            }
            None::<(CowStr<'_>, CowStr<'_>)>
        };
        let events = Parser::new_with_broken_link_callback(
            text,
            Options::ENABLE_GFM | EXTRAS,
            Some(&mut keep),
        );
        let mut heading: Option<String> = None;
        let mut seen = BTreeMap::new();
        for (event, span) in events.into_offset_iter() {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(Link { line: line(text, span.start), target: dest_url.into() });
                }
                // A block's events are its lines, and a tag may go over several.
                Event::Start(Tag::HtmlBlock) | Event::InlineHtml(_) => {
                    page.add_html(line(text, span.start), &text[span]);
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let title = heading.take().unwrap_or_default();
                    page.anchors.insert(numbered(slug(&title), &mut seen));
                }
                Event::Text(words) | Event::Code(words) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                _ => {}
            }
        }
        let undefined = undefined.into_iter();
        page.undefined =
            undefined.map(|(at, target)| Link { line: line(text, at), target }).collect();
        page
    }

    fn add_html(&mut self, line: usize, html: &str) {
        for (name, value) in attributes(html) {
            match name {
                "href" | "src" => {
                    self.links.push(Link { line, target: value.to_owned() });
                }
                "srcset" => {
                    let sources = value.split(',').filter_map(|one| one.split_whitespace().next());
                    let links = sources.map(|source| Link { line, target: source.into() });
                    self.links.extend(links);
                }
                _ => {
                    self.anchors.insert(value.to_owned());
                }
            }
        }
    }
}

/// What GitHub knows beyond CommonMark.
const EXTRAS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS);

/// Attributes that hold targets or anchors.
const ATTRIBUTES: [&str; 5] = ["href", "src", "srcset", "id", "name"];

/// Returns the quoted attributes of HTML tags that are links or anchors.
pub(crate) fn attributes(html: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some((_, tag)) = rest.split_once('<') {
        rest = tag;
        if !tag.starts_with(|first: char| first.is_ascii_alphabetic()) {
            continue;
        }
        // Up to the end of the tag, one attribute at a time: a value may contain `<` and `>`.
        while let Some(end) = rest.find(['"', '>']).filter(|&end| rest[end..].starts_with('"')) {
            let name = rest[..end].trim_end().strip_suffix('=').unwrap_or_default();
            let name = name.rsplit(char::is_whitespace).next().unwrap_or_default();
            let Some((value, behind)) = rest[end + 1..].split_once('"') else { return found };
            if ATTRIBUTES.contains(&name) {
                found.push((name, value));
            }
            rest = behind;
        }
    }
    found
}

/// Returns the anchor that GitHub gives a heading: lower case, without punctuation, with hyphens for spaces.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        letter => letter.is_alphanumeric().then_some(letter),
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// Tells equal headings apart as GitHub does: `name`, `name-1`, `name-2`.
fn numbered(slug: String, seen: &mut BTreeMap<String, usize>) -> String {
    let count = seen.entry(slug.clone()).or_default();
    *count += 1;
    if *count == 1 { slug } else { format!("{slug}-{}", *count - 1) }
}

fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Vec<(usize, String)> {
        Page::parse(text).links.into_iter().map(|link| (link.line, link.target)).collect()
    }

    #[test]
    fn links_of_every_kind_are_found_and_code_is_not() {
        let text = "[one](a.md)\n\n![two](b.png \"title\") `[no](c.md)`\n\n```sh\n[no](d.md)\n```\n\
                    [three][name] [four](<e f.md>)\n\n| [five](g.md) |\n| --- |\n| x |\n\n[name]: h.md\n";
        let found: Vec<_> = targets(text).into_iter().map(|(_, target)| target).collect();
        assert_eq!(found, ["a.md", "b.png", "h.md", "e f.md", "g.md"]);
        assert_eq!(targets("x\n\ny [z](w)")[0], (3, "w".into()));
    }

    #[test]
    fn html_has_links_and_anchors() {
        let page = Page::parse(
            "<a id=\"here\"></a>\n<picture><source srcset=\"dark.png 2x, d.png\">\n\
             <img alt=\"a > b\"\n src=\"light.png\" width=\"9\"></picture>\n\ntext <a href=\"x.md\">y</a>\n",
        );
        let found: Vec<_> = page.links.iter().map(|link| link.target.as_str()).collect();
        assert_eq!(found, ["dark.png", "d.png", "light.png", "x.md"]);
        assert!(page.anchors.contains("here"));
    }

    #[test]
    fn anchors_follow_githubs_rules() {
        let text = "# `[model]` and more: 5 %\n## Same\n## Same\n### A_b *c* [d](e)\nTitle\n===\n";
        let anchors = Page::parse(text).anchors;
        let expected = ["model-and-more-5-", "same", "same-1", "a_b-c-d", "title"];
        assert_eq!(anchors, expected.map(str::to_owned).into());
    }

    #[test]
    fn only_a_reference_that_is_meant_as_one_may_lack_its_definition() {
        let page = Page::parse("shape [batch, classes]\n\n[text][missing] and [also][]\n");
        let undefined: Vec<_> = page.undefined.iter().map(|link| link.target.as_str()).collect();
        assert_eq!(undefined, ["missing", "also"]);
        assert_eq!(page.undefined[0].line, 3);
    }
}
