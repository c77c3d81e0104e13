//! The page in a real Chromium.

use std::path::Path;

use super::server::Server;
use crate::chromium;
use crate::program::nin;
use crate::workshop::words;

#[test]
fn the_page_in_chromium() {
    let Some(mut browser) = chromium::script("serve/page.mjs") else { return };
    let root = tempfile::tempdir().unwrap();
    let line = "train --set data.limit=640 --epochs 2 --run run --progress none";
    nin(root.path(), &words(line)).ok();
    // The page shows the same answer for each drawing as `predict`.
    let clothes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/clothes");
    let clothes = clothes.canonicalize().unwrap();
    let folder = clothes.display().to_string();
    let line = ["predict", "--checkpoint", "run", "--top", "10", "--format", "json", &folder];
    let expected = root.path().join("expected.json");
    std::fs::write(&expected, nin(root.path(), &line).ok().stdout).unwrap();

    let server = Server::start(root.path(), &[]);
    browser.arg(format!("http://{}", server.address()));
    // At the end, the script stops the server to test the page's message.
    browser.arg(server.id().to_string());
    browser.arg("--expected").arg(expected);
    chromium::run(browser);
    let finished = server.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}
