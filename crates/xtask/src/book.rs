//! `cargo xtask book`: builds the book with mdBook and mends the links that leave it.
//!
//! On the repository's page a link such as `../results/README.md` works as it is. In the built book it does not,
//! because the book holds `docs/` alone. Images are therefore copied into the book. Other links get the
//! address of the repository where GitHub Actions gives one, and else lead to the checkout that the book was built
//! from. A link or an anchor that leads nowhere is an error, like a warning of mdBook.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::links::{is_external, resolve};
use crate::markdown::attributes;

/// The sources of the book, in the repository.
const SOURCES: &str = "docs";
/// Where `docs/book.toml` puts the book, in the repository.
const OUTPUT: &str = "target/book";
/// The folder in the book for images from outside `docs/`.
const COPIED: &str = "repository";
/// mdBook's page for a missing one: its links are relative to the site's root.
const MISSING_PAGE: &str = "404.html";

/// Builds the book of the repository in the working directory.
///
/// # Errors
/// mdBook is missing, fails or warns, or a link of a page leads nowhere.
pub(crate) fn run(mdbook: &Path) -> anyhow::Result<Value> {
    build(mdbook)?;
    let book = Book { root: PathBuf::new(), address: repository_address() };
    let pages = book.mend()?;
    Ok(json!({ "check": "book", "pages": pages, "output": OUTPUT, "repository": book.address }))
}

fn build(mdbook: &Path) -> anyhow::Result<()> {
    let built = Command::new(mdbook)
        .args(["build", SOURCES])
        .output()
        .with_context(|| format!("cannot run `{}`; .ci/book installs it", mdbook.display()))?;
    let said = String::from_utf8_lossy(&built.stderr);
    let faults: Vec<_> =
        said.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    ensure!(built.status.success() && faults.is_empty(), "mdbook build {SOURCES}\n{said}");
    Ok(())
}

/// Returns the address of the repository at the commit that GitHub Actions builds.
fn repository_address() -> Option<String> {
    let [server, repository] = ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY"].map(env::var);
    Some(format!("{}/{}", server.ok()?, repository.ok()?))
}

/// A book that mdBook has built.
struct Book {
    /// The repository.
    root: PathBuf,
    /// The address of the repository on the web.
    address: Option<String>,
}

impl Book {
    /// Rewrites the links of every page, and returns the number of pages.
    fn mend(&self) -> anyhow::Result<usize> {
        let output = self.root.join(OUTPUT);
        let mut pages = BTreeMap::new();
        read_html(&output, Path::new(""), &mut pages)?;
        let mut faults = Vec::new();
        for (path, html) in &pages {
            let mut mended = html.clone();
            for (name, target) in attributes(html) {
                if !["href", "src"].contains(&name) || is_external(target) {
                    continue;
                }
                match self.mended(&pages, path, name, target) {
                    Ok(Some(link)) => {
                        let quoted = |link: &str| format!("{name}=\"{link}\"");
                        mended = mended.replace(&quoted(target), &quoted(&link));
                    }
                    Ok(None) => {}
                    Err(error) => faults.push(format!("{}: `{target}` {error:#}", path.display())),
                }
            }
            if mended != *html {
                let path = output.join(path);
                fs::write(&path, mended)
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        ensure!(
            faults.is_empty(),
            "{} dead links in the book\n{}",
            faults.len(),
            faults.join("\n")
        );
        Ok(pages.len())
    }

    /// Returns what to write in place of a target; `None` to leave it.
    fn mended(
        &self,
        pages: &BTreeMap<PathBuf, String>,
        page: &Path,
        attribute: &str,
        target: &str,
    ) -> anyhow::Result<Option<String>> {
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        if file.is_empty() || !leaves(page, file) {
            let path = if file.is_empty() { Some(page.to_owned()) } else { resolve(page, file) };
            let path = path.context("is no path")?;
            let (path, file) = self.in_book(path, file)?;
            let has = |html: &String| html.contains(&format!("id=\"{anchor}\""));
            ensure!(anchor.is_empty() || pages.get(&path).is_some_and(has), "has no such heading");
            let link = target.replacen(target.split('#').next().unwrap_or_default(), &file, 1);
            return Ok((link != target).then_some(link));
        }
        // The page's source is at the same place in `docs/`.
        let source = Path::new(SOURCES).join(page);
        let path = resolve(&source, file).context("leaves the repository")?;
        let path = self.in_repository(path)?;
        if attribute == "src" {
            return self.copied(page, &path).map(Some);
        }
        let mut link = match &self.address {
            Some(address) => {
                let kind = if self.root.join(&path).is_dir() { "tree" } else { "blob" };
                let commit = env::var("GITHUB_SHA").unwrap_or_else(|_| "HEAD".to_owned());
                format!("{address}/{kind}/{commit}/{}", path.display())
            }
            None => up(&Path::new(OUTPUT).join(page)) + &path.display().to_string(),
        };
        if !anchor.is_empty() {
            link = format!("{link}#{anchor}");
        }
        Ok(Some(link))
    }

    /// Returns the file in the book that a link inside it leads to, and the link. mdBook makes `index.html` of a folder's
    /// README.md, and leaves links to it as they are.
    fn in_book(&self, path: PathBuf, link: &str) -> anyhow::Result<(PathBuf, String)> {
        let index = format!("{link}/index.html").replace("README.html/", "").replace("//", "/");
        let readme = path.with_file_name("index.html");
        let is_file = |path: &Path| self.root.join(OUTPUT).join(path).is_file();
        if is_file(&path) {
            Ok((path, link.to_owned()))
        } else if is_file(&path.join("index.html")) {
            Ok((path.join("index.html"), index))
        } else if path.ends_with("README.html") && is_file(&readme) {
            Ok((readme, index))
        } else {
            bail!("does not exist")
        }
    }

    /// Returns the path of an existing file. mdBook takes every page for one of the book, and gives it `.html`.
    fn in_repository(&self, path: PathBuf) -> anyhow::Result<PathBuf> {
        let page = path.with_extension("md");
        if self.root.join(&path).exists() {
            Ok(path)
        } else if path.extension().is_some_and(|kind| kind == "html")
            && self.root.join(&page).exists()
        {
            Ok(page)
        } else {
            bail!("does not exist in the repository")
        }
    }

    /// Copies an image into the book, and returns the link to the copy.
    fn copied(&self, page: &Path, path: &Path) -> anyhow::Result<String> {
        let inside = Path::new(COPIED).join(path);
        let copy = self.root.join(OUTPUT).join(&inside);
        let folder = copy.parent().context("is no file")?;
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        fs::copy(self.root.join(path), &copy)
            .with_context(|| format!("cannot copy {}", path.display()))?;
        Ok(up(page) + &inside.display().to_string())
    }
}

/// Returns whether a target of a page leaves the book.
fn leaves(page: &Path, target: &str) -> bool {
    resolve(page, target).is_none() && !target.starts_with('/')
}

/// Returns the way from a page to the root that its path is relative to: `../` for each folder.
fn up(page: &Path) -> String {
    let folders = page.components().filter(|part| matches!(part, Component::Normal(_))).count();
    "../".repeat(folders.saturating_sub(1))
}

fn read_html(
    output: &Path,
    folder: &Path,
    pages: &mut BTreeMap<PathBuf, String>,
) -> anyhow::Result<()> {
    let path = output.join(folder);
    let entries = fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
    for entry in entries {
        let entry = entry?;
        let relative = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            read_html(output, &relative, pages)?;
        } else if relative.extension().is_some_and(|kind| kind == "html")
            && relative != Path::new(MISSING_PAGE)
        {
            let html = fs::read_to_string(entry.path())
                .with_context(|| format!("cannot read {}", relative.display()))?;
            pages.insert(relative, html);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a repository with a built book.
    fn repository(page: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("target/book/index.html", "<a href=\"deep/page.html\"><h1 id=\"top\">x</h1>"),
            ("target/book/deep/page.html", page),
            ("target/book/404.html", "<a href=\"none.html\">"),
            ("results/README.md", ""),
            ("results/run/curves.svg", "<svg/>"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn mended(page: &str, address: Option<&str>) -> anyhow::Result<String> {
        let root = repository(page);
        let book = Book { root: root.path().into(), address: address.map(str::to_owned) };
        assert_eq!(book.mend()?, 2);
        let copied = root.path().join("target/book/repository/results/run/curves.svg");
        assert_eq!(copied.exists(), page.contains("src="));
        Ok(fs::read_to_string(root.path().join("target/book/deep/page.html")).unwrap())
    }

    #[test]
    fn links_that_leave_the_book_lead_to_the_checkout_or_to_the_address() {
        let page =
            "<a href=\"../../results/README.html#x\"> <a class=\"y\" href=\"../../results/run\">";
        let local = mended(page, None).unwrap();
        assert_eq!(
            local,
            "<a href=\"../../../results/README.md#x\"> <a class=\"y\" href=\"../../../results/run\">"
        );
        let there = mended(page, Some("https://example.org/o/r")).unwrap();
        assert!(there.contains("\"https://example.org/o/r/blob/"), "{there}");
        assert!(there.contains("/results/README.md#x\""), "{there}");
        assert!(there.contains("\"https://example.org/o/r/tree/"), "{there}");
    }

    #[test]
    fn images_are_copied_into_the_book() {
        let html = mended("<img src=\"../../results/run/curves.svg\">", Some("https://x")).unwrap();
        assert_eq!(html, "<img src=\"../repository/results/run/curves.svg\">");
    }

    #[test]
    fn links_to_a_folder_of_the_book_lead_to_its_page() {
        let folders = "<a href=\"../deep\"> <a href=\"../deep/\"> <a href=\"../deep/README.html#x\">\
                       <a href=\"README.html\">";
        let root = repository(folders);
        fs::write(root.path().join("target/book/deep/index.html"), "<h1 id=\"x\">").unwrap();
        let book = Book { root: root.path().into(), address: None };
        assert_eq!(book.mend().unwrap(), 3);
        let html = fs::read_to_string(root.path().join("target/book/deep/page.html")).unwrap();
        let index = "<a href=\"../deep/index.html\">";
        assert_eq!(
            html,
            format!("{index} {index} <a href=\"../deep/index.html#x\"><a href=\"index.html\">")
        );
    }

    #[test]
    fn links_inside_stay_as_they_are_and_dead_ones_fail() {
        let inside =
            "<a href=\"../index.html#top\"> <a href=\"#here\" id=\"here\"> <a href=\"https://x\">";
        assert_eq!(mended(inside, None).unwrap(), inside);
        for dead in ["../none.html", "../index.html#no", "#no", "../../none.md", "../../../x", "/x"]
        {
            let error = mended(&format!("<a href=\"{dead}\">"), None).unwrap_err().to_string();
            assert!(error.contains(&format!("deep/page.html: `{dead}`")), "{error}");
        }
    }
}
