//! The page in a real Chromium.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::Server;
use crate::program::nin;
use crate::workshop::words;

/// Where `npm install` put playwright-core and axe-core: `$NIN_BROWSER`, else `browser` beside the
/// folder with the program.
fn modules() -> Option<PathBuf> {
    let beside =
        || Path::new(env!("CARGO_BIN_EXE_nin-cli")).ancestors().nth(2).unwrap().join("browser");
    let folder = std::env::var_os("NIN_BROWSER").map_or_else(beside, PathBuf::from);
    let has = |name: &str| folder.join("node_modules").join(name).is_dir();
    (has("playwright-core") && has("axe-core")).then_some(folder)
}

#[test]
fn the_page_in_chromium() {
    let has_chromium = Path::new("/usr/bin/chromium").exists();
    let has_node = Command::new("node").arg("--version").output().is_ok();
    let Some(folder) = modules().filter(|_| has_chromium && has_node) else {
        let required = std::env::var("NIN_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == "chromium"), "no Chromium for the page");
        println!(
            "skipped: it needs chromium, node, playwright-core and axe-core (CONTRIBUTING.md)"
        );
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let line = "train --set data.limit=640 --epochs 2 --run run --progress none";
    nin(root.path(), &words(line)).ok();
    let server = Server::start(root.path(), &[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/serve/page.mjs");
    let mut browser = Command::new("node");
    browser.arg(script).arg(format!("http://{}", server.address())).current_dir(folder);
    // In its last part the script stops the server, to see what the page says.
    browser.arg(server.id().to_string());
    let output = browser.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    let finished = server.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}
