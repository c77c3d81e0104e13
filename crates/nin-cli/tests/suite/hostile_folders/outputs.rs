//! Other outputs of commands: none is written through a link.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use image::{GrayImage, ImageFormat};

use super::planted::{ALL, contents, flaw, nin};
use crate::predict::encoded;
use crate::workshop::{Workshop, words};

/// Commands, and a file that each writes.
const OUTPUTS: [(&str, &str); 8] = [
    ("compare run --output out/curves.svg", "curves.svg"),
    ("report run --data data --backend flex --output out/page.html", "page.html"),
    ("report run --data data --backend flex --output page.html --figures out", "confusion.svg"),
    ("export --checkpoint run --to onnx --output out/run.onnx", "run.onnx"),
    ("export --checkpoint run --to safetensors --output out/run.safetensors", "run.safetensors"),
    ("export --checkpoint run --to safetensors --output out/run.safetensors", "model.py"),
    (
        "import --from weights.safetensors --config small.toml --set model.classes=3 --set \
         model.input_channels=1 --set data.input_size=20 --output out/model.safetensors",
        "model.safetensors",
    ),
    ("man --output out", "nin-cli-train.1"),
];

fn prepared() -> Workshop {
    let workshop = Workshop::new();
    let root = workshop.path();
    workshop.train("run", &words("--backend flex --epochs 1")).ok();
    let export = "export --checkpoint run --to safetensors --output weights.safetensors";
    nin(root, &words(export)).ok();
    workshop
}

#[test]
fn outputs_replace_planted_links_or_fail() {
    let workshop = prepared();
    let root = workshop.path();
    let (out, outside) = (root.join("out"), root.join("outside"));
    let mut wrong = Vec::new();
    for (line, file) in OUTPUTS {
        fs::create_dir(&out).unwrap();
        nin(root, &words(line)).ok();
        assert!(out.join(file).is_file(), "{line} writes {file}");
        fs::remove_dir_all(&out).unwrap();
        for planted in ALL {
            for folder in [&out, &outside] {
                fs::create_dir(folder).unwrap();
            }
            fs::write(out.join(file), "precious").unwrap();
            planted.plant(&out.join(file), &outside);
            let before = contents(&outside);
            let finished = nin(root, &words(line));
            let flaw = flaw(&finished).or_else(|| {
                (contents(&outside) != before).then(|| "what is outside changed".to_owned())
            });
            wrong.extend(flaw.map(|flaw| format!("{planted:?} of {file}, {line}: {flaw}")));
            for folder in [&out, &outside] {
                fs::remove_dir_all(folder).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

pub(super) fn write_pictures(folder: &Path) {
    for (class, shade) in [("dark", 20), ("light", 200)] {
        fs::create_dir_all(folder.join(class)).unwrap();
        for at in 0..12_u8 {
            let pixels = (0..600_u32).map(|pixel| shade + at + (pixel % 7) as u8).collect();
            let picture = GrayImage::from_raw(30, 20, pixels).unwrap();
            let bytes = encoded(&picture.into(), ImageFormat::Png);
            fs::write(folder.join(format!("{class}/{at}.png")), bytes).unwrap();
        }
    }
}

#[test]
fn maps_and_sorted_pictures_do_not_follow_links() {
    let workshop = prepared();
    let root = workshop.path();
    write_pictures(&root.join("photos"));
    let outside = root.join("outside");
    fs::create_dir(&outside).unwrap();
    let line = "predict --checkpoint run photos --maps maps --sort-into sorted --backend flex";
    nin(root, &words(line)).ok();
    let names = |folder: &str| -> Vec<PathBuf> {
        let mut names: Vec<_> =
            fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names
    };
    // The same names, as links that point outside.
    for path in names("maps").into_iter().chain(names("sorted")) {
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        symlink(outside.join("nothing"), &path).unwrap();
    }
    let finished = nin(root, &words(line));
    assert_eq!(flaw(&finished), None);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains(": a symbolic link is in its place"), "{}", finished.stderr);
    assert_eq!(contents(&outside).len(), 0);
}

/// The cache of decoded pictures is written in place.
#[test]
fn the_picture_cache_does_not_follow_links() {
    let workshop = Workshop::new();
    let root = workshop.path();
    write_pictures(&root.join("photos"));
    let train = |run: &str| {
        let line = format!(
            "train --config pictures --data photos --backend flex --run {run} --epochs 1 --set \
             data.input_size=32 --progress none"
        );
        nin(root, &words(&line)).ok()
    };
    train("run");
    let cache = contents(&root.join("cache"));
    let cache = cache.keys().find(|path| path.extension().is_some_and(|end| end == "pictures"));
    let cache = cache.expect("pictures are kept").clone();
    let whole = fs::read(&cache).unwrap();
    let outside = root.join("outside");
    for (at, planted) in ALL.into_iter().enumerate() {
        fs::create_dir(&outside).unwrap();
        // Another file's content: a new cache would replace it.
        fs::write(&cache, "precious").unwrap();
        planted.plant(&cache, &outside);
        let before = contents(&outside);
        let run = format!("run-{at}");
        train(&run);
        assert_eq!(contents(&outside), before, "{planted:?}");
        assert!(workshop.weights(&run) == workshop.weights("run"), "{planted:?}");
        let _ = fs::remove_file(&cache).or_else(|_| fs::remove_dir_all(&cache));
        fs::write(&cache, &whole).unwrap();
        fs::remove_dir_all(&outside).unwrap();
    }
}

/// None of the runs of `train --seeds` may be a link to another run.
#[test]
fn a_run_of_a_series_must_not_be_a_link() {
    let workshop = Workshop::new();
    let root = workshop.path();
    let line =
        "train --config small.toml --data data --seeds 1,2 --run all --backend flex --epochs 1";
    nin(root, &words(line)).ok();
    fs::rename(root.join("all/seed-2"), root.join("precious")).unwrap();
    symlink(root.join("precious"), root.join("all/seed-2")).unwrap();
    let before = contents(root);
    let resumed =
        nin(root, &words("train --run all --resume --data data --epochs 2 --backend flex"));
    assert_eq!((flaw(&resumed), resumed.code), (None, Some(1)));
    let error = "error: `all/seed-2` is a symbolic link, expected a folder";
    assert!(resumed.stderr.contains(error), "{}", resumed.stderr);
    assert_eq!(contents(root), before);
}
