//! The page of `export --to web` in a real Chromium, from disk.

use std::fs;
use std::path::Path;

use nin_model::Builtin;

use super::refused::{NAMES, network};
use crate::chromium;
use crate::program::nin;
use crate::workshop::words;

#[test]
fn the_page_in_chromium() {
    let Some(mut browser) = chromium::script("serve/page.mjs") else { return };
    let root = tempfile::tempdir().unwrap();
    let export = "export --checkpoint pretrained:record-fashion-mnist --to web --output page.html";
    nin(root.path(), &words(export)).ok();
    // Each drawing has the answer of `predict`.
    let clothes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/clothes");
    let folder = clothes.canonicalize().unwrap().display().to_string();
    let line = ["predict", "--top", "10", "--format", "json", &folder];
    let expected = root.path().join("expected.json");
    fs::write(&expected, nin(root.path(), &line).ok().stdout).unwrap();
    fs::write(root.path().join("network"), network(&NAMES, Builtin::PaperMnist)).unwrap();
    nin(root.path(), &words("export --checkpoint network --to web --output names.html")).ok();

    browser.arg(format!("file://{}", root.path().join("page.html").display()));
    browser.arg("--expected").arg(expected);
    browser.arg("--names").arg(format!("file://{}", root.path().join("names.html").display()));
    chromium::run(browser);
}

#[test]
fn the_lesson_in_chromium() {
    let Some(mut browser) = chromium::script("web/lesson_page.mjs") else { return };
    let root = tempfile::tempdir().unwrap();
    nin(root.path(), &words("export --to lesson --output lesson.html")).ok();
    browser.arg(format!("file://{}", root.path().join("lesson.html").display()));
    browser.arg(root.path().join("lesson.safetensors"));
    chromium::run(browser);
    let eval =
        nin(root.path(), &words("eval --checkpoint lesson.safetensors --format json")).json();
    assert!(eval["accuracy"].as_f64().unwrap() > 0.75);
}
