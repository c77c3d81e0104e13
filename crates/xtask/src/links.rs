//! `cargo xtask links`: every relative link, image and anchor of the repository's Markdown pages exists, and every
//! page under `docs/` is in the book. It needs no network: links to other hosts are not followed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::markdown::Page;

/// Folders without pages of the repository: outputs, and sources, whose Markdown is rustdoc's.
const SKIPPED: [&str; 3] = ["target", "src", "node_modules"];
/// The contents of the book.
const SUMMARY: &str = "docs/SUMMARY.md";

/// Checks all pages below a folder.
///
/// # Errors
/// A page cannot be read, or something is wrong with one; the error has a line for each.
pub(crate) fn run(root: &Path) -> anyhow::Result<Value> {
    let mut pages = BTreeMap::new();
    read_pages(root, Path::new(""), &mut pages)?;
    let mut faults: Vec<String> = Vec::new();
    let mut links = 0;
    for (path, page) in &pages {
        let at = |line: usize| format!("{}:{line}", path.display());
        for link in &page.undefined {
            faults.push(format!("{}: no definition of `[{}]`", at(link.line), link.target));
        }
        for link in page.links.iter().filter(|link| !is_external(&link.target)) {
            links += 1;
            if let Some(fault) = fault(root, &pages, path, &link.target) {
                faults.push(format!("{}: `{}` {fault}", at(link.line), link.target));
            }
        }
    }
    faults.extend(not_in_summary(&pages));
    ensure!(faults.is_empty(), "{} faults in links\n{}", faults.len(), faults.join("\n"));
    Ok(json!({ "check": "links", "pages": pages.len(), "links": links }))
}

/// Returns whether a target is on another host, or an address for mail.
pub(crate) fn is_external(target: &str) -> bool {
    let scheme = target.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.chars().all(|letter| letter.is_ascii_alphanumeric()))
}

/// Resolves a target relative to a page, both relative to the same root, without looking at any file. Returns `None` if it leaves
/// the root.
pub(crate) fn resolve(page: &Path, target: &str) -> Option<PathBuf> {
    let mut path = page.parent().unwrap_or(Path::new("")).to_owned();
    for component in Path::new(target).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            _ => return None,
        }
    }
    Some(path)
}

fn read_pages(
    root: &Path,
    folder: &Path,
    pages: &mut BTreeMap<PathBuf, Page>,
) -> anyhow::Result<()> {
    let path = root.join(folder);
    let entries = fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let relative = folder.join(&name);
        let kind = entry.file_type()?;
        if kind.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
            read_pages(root, &relative, pages)?;
        } else if kind.is_file() && relative.extension().is_some_and(|kind| kind == "md") {
            let text = fs::read_to_string(entry.path())
                .with_context(|| format!("cannot read {}", relative.display()))?;
            pages.insert(relative, Page::parse(&text));
        }
    }
    Ok(())
}

/// Says what is wrong with a target of a page.
fn fault(
    root: &Path,
    pages: &BTreeMap<PathBuf, Page>,
    page: &Path,
    target: &str,
) -> Option<&'static str> {
    let (file, anchor) =
        target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let path = if file.is_empty() {
        page.to_owned()
    } else {
        match resolve(page, file) {
            Some(path) => path,
            None => return Some("leaves the repository"),
        }
    };
    if !root.join(&path).exists() {
        return Some("does not exist");
    }
    let anchor = anchor?;
    let Some(page) = pages.get(&path) else { return Some("is no page, and has no anchors") };
    (!page.anchors.contains(anchor)).then_some("has no such heading")
}

/// Yields a fault for each page of the book that its contents lack.
fn not_in_summary(pages: &BTreeMap<PathBuf, Page>) -> Vec<String> {
    let summary = Path::new(SUMMARY);
    let Some(contents) = pages.get(summary) else { return vec![format!("no {SUMMARY}")] };
    let listed: BTreeSet<_> =
        contents.links.iter().filter_map(|link| resolve(summary, &link.target)).collect();
    let of_book = pages.keys().filter(|path| path.starts_with("docs") && *path != summary);
    of_book
        .filter(|path| !listed.contains(*path))
        .map(|path| format!("{}: not in {SUMMARY}", path.display()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)]) -> anyhow::Result<Value> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        run(root.path())
    }

    /// Checks a page of the book that has this text, next to another page and a picture.
    fn check_page(text: &str) -> anyhow::Result<Value> {
        check(&[
            ("docs/SUMMARY.md", "- [Page](page.md)\n- [Other](deep/other.md)\n"),
            ("docs/page.md", text),
            ("docs/deep/other.md", "# Other page\n[back](../page.md)\n"),
            ("docs/picture.png", ""),
            ("results/run/file.json", ""),
            ("target/x.md", "[dead](dead.md)"),
            ("crates/a/src/guide.md", "[rustdoc](crate::Thing)"),
        ])
    }

    #[test]
    fn links_that_exist_pass() {
        let report = check_page(
            "# Page\n[a](deep/other.md#other-page) ![b](picture.png) [c](../results/run) [d](#page)\n\
             [e](https://example.org/x#y) [f](mailto:a@example.org) [g](deep)\n",
        );
        let report = report.unwrap();
        assert_eq!((report["pages"].as_u64(), report["links"].as_u64()), (Some(3), Some(8)));
    }

    #[test]
    fn links_that_lead_nowhere_fail() {
        for (text, expected) in [
            ("[x](none.md)", "docs/page.md:1: `none.md` does not exist"),
            ("\n![x](none.png)", "docs/page.md:2: `none.png` does not exist"),
            ("<img src=\"none.png\">", "`none.png` does not exist"),
            ("[x](deep/other.md#no)", "`deep/other.md#no` has no such heading"),
            ("[x](#no)", "`#no` has no such heading"),
            ("[x](picture.png#no)", "is no page"),
            ("[x](../../outside)", "leaves the repository"),
            ("[x](/absolute)", "leaves the repository"),
            ("[x][name]", "no definition of `[name]`"),
        ] {
            let error = check_page(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn every_page_of_the_book_is_in_its_contents() {
        let error =
            check(&[("docs/SUMMARY.md", "[a](a.md)"), ("docs/a.md", ""), ("docs/b.md", "")]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("docs/b.md: not in docs/SUMMARY.md"), "{error}");
        assert!(
            check(&[("README.md", "")]).unwrap_err().to_string().contains("no docs/SUMMARY.md")
        );
    }
}
