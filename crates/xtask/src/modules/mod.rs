//! `cargo xtask modules`: no two modules of a crate import each other, directly or through others.
//!
//! A module depends on the modules that define the items it names. A name that comes through a re-export
//! counts as coming from where it is defined, so a folder's `mod.rs` may re-export its children freely; the
//! re-export itself is no dependency. Code under `#[cfg(test)]` does not count. Methods are invisible here:
//! the check sees paths, not types.

mod cycles;
mod source;
mod uses;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use self::source::Sources;

/// Checks every crate under `crates/`.
///
/// # Errors
/// A source file cannot be read or parsed, or some modules form a cycle; the error lists each cycle's modules
/// with what they take from each other.
pub(crate) fn run(crates: &Path) -> anyhow::Result<Value> {
    let mut found = Vec::new();
    let mut checked = serde_json::Map::new();
    for folder in sorted_folders(crates)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut modules = 0;
        for root in ["src/lib.rs", "src/main.rs"].map(|root| folder.join(root)) {
            if root.is_file() {
                let sources = Sources::read(&root)?;
                modules += sources.len();
                let dependencies = uses::dependencies(&sources);
                found.extend(cycles::cycles(&dependencies).map(|cycle| format!("{name}: {cycle}")));
            }
        }
        checked.insert(name, modules.into());
    }
    ensure!(found.is_empty(), "modules import each other\n{}", found.join("\n"));
    Ok(json!({ "check": "modules", "modules": checked }))
}

fn sorted_folders(parent: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(parent).with_context(|| format!("cannot read `{}`", parent.display()))?;
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    folders.retain(|path| path.is_dir());
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)]) -> anyhow::Result<Value> {
        let crates = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = crates.path().join("sample/src").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        run(crates.path())
    }

    fn cycle(files: &[(&str, &str)]) -> String {
        check(files).unwrap_err().to_string()
    }

    #[test]
    fn two_modules_that_import_each_other_are_named() {
        let error = cycle(&[
            ("lib.rs", "mod a;\nmod b;"),
            ("a.rs", "use crate::b::Second;\npub struct First(Second);"),
            ("b.rs", "pub struct Second;\nfn f() -> Option<crate::a::First> { None }"),
        ]);
        assert!(error.contains("sample: a -> b (Second), b -> a (First)"), "{error}");
    }

    #[test]
    fn a_longer_cycle_is_found_through_a_re_export() {
        let error = cycle(&[
            ("lib.rs", "mod a;\nmod b;\nmod c;\npub use c::Third;"),
            ("a.rs", "use super::b;\npub fn first() { b::second() }"),
            ("b.rs", "pub fn second() { let _ = crate::Third; }"),
            ("c.rs", "pub struct Third;\nfn f() { format!(\"{}\", crate::a::first()); }"),
        ]);
        assert!(error.contains("a -> b (second), b -> c (Third), c -> a (first)"), "{error}");
    }

    #[test]
    fn a_parent_and_its_child_may_not_import_each_other_either() {
        let error = cycle(&[
            ("lib.rs", "mod parent;"),
            ("parent/mod.rs", "mod child;\npub struct Shared;\npub fn f() { child::g(&Shared) }"),
            ("parent/child.rs", "pub fn g(_: &super::Shared) {}"),
        ]);
        assert!(
            error.contains("parent -> parent::child (g), parent::child -> parent (Shared)"),
            "{error}"
        );
    }

    #[test]
    fn re_exports_tests_and_one_way_imports_are_fine() {
        let report = check(&[
            ("lib.rs", "mod parent;\npub use parent::{First, Second};"),
            ("parent/mod.rs", "mod first;\nmod second;\npub use first::First;\npub use second::*;"),
            (
                "parent/first.rs",
                "pub struct First;\n#[cfg(test)]\nmod tests { use super::super::Second; }",
            ),
            ("parent/second.rs", "use super::First;\npub struct Second(First);"),
        ])
        .unwrap();
        assert_eq!(report["modules"]["sample"], 4);
    }
}
