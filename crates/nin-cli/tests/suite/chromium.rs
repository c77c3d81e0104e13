//! Runs node scripts that drive a real Chromium.

use std::path::{Path, PathBuf};
use std::process::Command;

use nin_testing::Need;

/// Returns the command for one of this crate's scripts in node with playwright-core and axe-core; `None` if one of them
/// is missing.
pub(crate) fn script(path: &str) -> Option<Command> {
    let has_chromium = Path::new("/usr/bin/chromium").exists();
    let has_node = Command::new("node").arg("--version").output().is_ok();
    let Some(folder) = modules().filter(|_| has_chromium && has_node) else {
        Need::Chromium.skip("no chromium, node, playwright-core and axe-core (CONTRIBUTING.md)");
        return None;
    };
    let mut browser = Command::new("node");
    browser
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite").join(path))
        .current_dir(folder);
    Some(browser)
}

/// Returns the folder of playwright-core and axe-core: `$NIN_BROWSER`, else `browser` in the program's target
/// folder.
fn modules() -> Option<PathBuf> {
    let beside =
        || Path::new(env!("CARGO_BIN_EXE_nin-cli")).ancestors().nth(2).unwrap().join("browser");
    let folder = std::env::var_os("NIN_BROWSER").map_or_else(beside, PathBuf::from);
    let has = |name: &str| folder.join("node_modules").join(name).is_dir();
    (has("playwright-core") && has("axe-core")).then_some(folder)
}

/// Runs a script, checks that it succeeds, and returns its output.
pub(crate) fn run(mut script: Command) -> String {
    let output = script.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    said
}
