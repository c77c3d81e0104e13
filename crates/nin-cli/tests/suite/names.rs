//! Class, data set, folder and picture names with control characters. None reaches a terminal, and
//! none breaks an SVG file or a page.

use std::fs;
use std::path::Path;

use image::{GrayImage, ImageFormat};
use nin_model::ModelMetadata;

use crate::predict::encoded;
use crate::program::{Finished, nin};
use crate::workshop::{train_small, words};

/// Clears the screen, starts a line, ends a string, changes the text direction, and is not a character.
const NAME: &str = "e\u{1b}[2J\nerror: v\u{7}\u{9b}\u{202e}<i>\"\u{fffe}l";

fn has_control(text: &str) -> bool {
    let acts = |letter: char| letter != '\n' && letter.is_control() || letter == '\u{202e}';
    text.contains(acts)
}

/// Checks that neither stream has control characters, or a line that starts inside a name.
fn assert_harmless(finished: &Finished, line: &str) {
    for text in [&finished.stdout, &finished.stderr] {
        assert!(!has_control(text), "{line}: {text:?}");
        assert!(text.lines().all(|said| !said.starts_with("error: v")), "{line}: {text}");
    }
}

/// Checks that a file has only characters that XML allows.
fn assert_readable(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let is_none =
        |letter: char| letter.is_control() && !"\t\n\r".contains(letter) || letter == '\u{fffe}';
    assert!(!text.contains(is_none), "{}", path.display());
}

/// Trains a run whose classes, data set and folder have such a name.
fn evil_run(root: &Path) -> String {
    train_small(root);
    let name = NAME.replace('/', "");
    let folder = fs::canonicalize(root.join("run/checkpoints/best")).unwrap();
    let file = folder.join("model.safetensors");
    let (mut metadata, weights) =
        ModelMetadata::from_safetensors(&fs::read(&file).unwrap()).unwrap();
    for (class, number) in metadata.classes.iter_mut().zip(0..) {
        *class = format!("{name}{number}");
    }
    metadata.dataset.clone_from(&name);
    let bytes = metadata.to_safetensors(&weights).unwrap();
    fs::write(root.join("named.safetensors"), bytes).unwrap();
    fs::rename(root.join("run"), root.join(&name)).unwrap();
    let picture = crate::serve::square();
    fs::write(root.join(format!("{name}.png")), &picture).unwrap();
    fs::create_dir_all(root.join("photos").join(&name)).unwrap();
    fs::create_dir_all(root.join("photos").join("plain")).unwrap();
    for number in 0..4 {
        let file = format!("{number}.png");
        for (folder, value) in [(&*name, 10 + number), ("plain", 200 + number)] {
            let image = GrayImage::from_pixel(20, 20, image::Luma([value]));
            let bytes = encoded(&image.into(), ImageFormat::Png);
            fs::write(root.join("photos").join(folder).join(&file), bytes).unwrap();
        }
    }
    name
}

#[test]
fn names_are_escaped_for_terminals_and_sanitized_for_xml() {
    let root = tempfile::tempdir().unwrap();
    let name = evil_run(root.path());
    let picture = format!("{name}.png");
    let run = |line: &str, more: &[&str]| {
        let finished = nin(root.path(), &[&words(line)[..], more].concat());
        assert_harmless(&finished, line);
        finished
    };
    for format in ["text", "json"] {
        let line = format!("eval --checkpoint named.safetensors --data data --format {format}");
        run(&line, &[]).ok();
        run(&format!("compare --format {format}"), &[&name]).ok();
        run(&format!("data check photos --format {format}"), &[]).ok();
    }
    for format in ["text", "json", "jsonl"] {
        let line = format!("predict --checkpoint named.safetensors --format {format}");
        run(&line, &[&picture]).ok();
        run(&line, &[&format!("{name}/none.png")]);
    }
    run("compare --output curves.svg", &[&name, &name]).ok();
    assert_readable(&root.path().join("curves.svg"));
    run("report --data data --output report.html --figures figures", &[&name]).ok();
    assert_readable(&root.path().join("report.html"));
    for figure in fs::read_dir(root.path().join("figures")).unwrap() {
        assert_readable(&figure.unwrap().path());
    }
    // Errors name the rejected file.
    for line in ["eval --checkpoint", "report", "compare", "train --run r --data", "data check"] {
        let finished = run(line, &[&format!("{name}-none")]);
        assert_eq!(finished.code, Some(1), "{line}: {}", finished.stderr);
    }
    // Training on folders with such names, with plain progress.
    let trained =
        run("train --data photos --epochs 1 --progress plain --run", &[&format!("{name}2")]);
    assert!([Some(0), Some(1)].contains(&trained.code), "{}", trained.stderr);
}
