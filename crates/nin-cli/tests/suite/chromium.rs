//! A real Chromium, driven by scripts in node, for what people look at.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A script of this crate's tests, in node, where playwright-core and axe-core are found; `None`, with a
/// word, where one of all these is missing and not required.
pub(crate) fn script(path: &str) -> Option<Command> {
    let has_chromium = Path::new("/usr/bin/chromium").exists();
    let has_node = Command::new("node").arg("--version").output().is_ok();
    let Some(folder) = modules().filter(|_| has_chromium && has_node) else {
        let required = std::env::var("NIN_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == "chromium"), "no Chromium for {path}");
        println!(
            "skipped: it needs chromium, node, playwright-core and axe-core (CONTRIBUTING.md)"
        );
        return None;
    };
    let mut browser = Command::new("node");
    browser
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite").join(path))
        .current_dir(folder);
    Some(browser)
}

/// Where `npm install` put playwright-core and axe-core: `$NIN_BROWSER`, else `browser` beside the
/// folder with the program.
fn modules() -> Option<PathBuf> {
    let beside =
        || Path::new(env!("CARGO_BIN_EXE_nin-cli")).ancestors().nth(2).unwrap().join("browser");
    let folder = std::env::var_os("NIN_BROWSER").map_or_else(beside, PathBuf::from);
    let has = |name: &str| folder.join("node_modules").join(name).is_dir();
    (has("playwright-core") && has("axe-core")).then_some(folder)
}

/// Runs a script to its end, which is to be a good one; gives what it said.
pub(crate) fn run(mut script: Command) -> String {
    let output = script.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    said
}
