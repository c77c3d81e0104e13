//! Untrusted folders: whatever is planted in them, nothing outside them changes, and no run resumes
//! to other weights than its own.

mod backups;
mod moved;
mod outputs;
mod planted;

use std::fs;
use std::path::Path;

pub(crate) use self::planted::{ALL, contents, flaw};
use self::planted::{Planted, nin};
use crate::workshop::copy_folder;
use crate::workshop::{Workshop, words};

/// Every file and folder of a run, and those that training may create.
const OF_A_RUN: [&str; 9] = [
    "attempt.json",
    "curves.svg",
    "environment.json",
    "metrics.jsonl",
    "recipe.toml",
    "report.html",
    "run.lock",
    "summary.json",
    "tensorboard",
];

const OF_ITS_CHECKPOINTS: [&str; 8] = [
    "checkpoints",
    "checkpoints/best",
    "checkpoints/epoch-002",
    "checkpoints/epoch-002/manifest.json",
    "checkpoints/epoch-002/model.safetensors",
    "checkpoints/epoch-002/optimizer.safetensors",
    "checkpoints/epoch-002/state.json",
    "checkpoints/latest",
];

/// Additional files of a run on pictures.
const OF_PICTURES: [&str; 2] = ["pictures.csv", "pictures.csv.sha256"];

const OPTIONS: &str = "--backend flex --set data.limit=60 --tensorboard";

/// The arguments of a run on the synthetic shapes, and of one on pictures.
const SHAPES: &str = "--config small.toml --data data";
const PICTURES: &str = "--config small.toml --data photos --set data.dataset=photos --set \
                        data.input_size=20";

/// The outcome of a training with something planted in its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It resumed to the bits of the undisturbed run.
    SameBits,
    /// It was rejected, and nothing in the run changed.
    Refused,
}

use Outcome::{Refused, SameBits};

/// Returns the expected outcome. Most files of a run are replaced as a whole, including links.
#[allow(clippy::match_same_arms, reason = "each has a reason of its own")]
fn expected(file: &str, planted: Planted) -> Outcome {
    use Planted::{DanglingLink, FlippedBit, Folder, HardLink, Pipe, SymbolicLink};
    match (file, planted) {
        // Written in place: anything but a file of the run is rejected. A hard link is copied first.
        ("metrics.jsonl" | "run.lock", SymbolicLink | DanglingLink | Pipe | Folder) => Refused,
        // Written into. Without its checkpoints, a run starts again.
        ("checkpoints", SymbolicLink | DanglingLink | Pipe) => Refused,
        // Without its recipe it is not a run, and with another recipe it is another run.
        ("recipe.toml", DanglingLink | Pipe | Folder | FlippedBit(_)) => Refused,
        // May be missing: the run was not restarted.
        ("attempt.json", _) => Refused,
        // A folder blocks the file.
        ("curves.svg" | "environment.json" | "summary.json", Folder) => Refused,
        ("checkpoints/best" | "checkpoints/latest", Folder) => Refused,
        // The line break is not part of the checksum.
        ("pictures.csv.sha256", FlippedBit(2)) => SameBits,
        ("pictures.csv" | "pictures.csv.sha256", DanglingLink | Pipe | Folder | FlippedBit(_)) => {
            Refused
        }
        (_, SymbolicLink | HardLink | DanglingLink | Pipe | Folder | FlippedBit(_)) => SameBits,
    }
}

fn train(root: &Path, line: &str) -> crate::program::Finished {
    nin(root, &words(&format!("train --progress none {line} {OPTIONS}")))
}

fn weights(run: &Path) -> Vec<u8> {
    fs::read(run.join("checkpoints/latest/model.safetensors")).unwrap()
}

#[test]
fn files_planted_in_a_run_change_nothing_outside_and_no_weights() {
    plant_in_a_run(&OF_A_RUN, SHAPES);
}

#[test]
fn files_planted_in_checkpoints_change_nothing_outside_and_no_weights() {
    plant_in_a_run(&OF_ITS_CHECKPOINTS, SHAPES);
}

#[test]
fn files_planted_in_a_picture_run_change_nothing_outside_and_no_weights() {
    plant_in_a_run(&OF_PICTURES, PICTURES);
}

fn plant_in_a_run(files: &[&str], begun: &str) {
    let workshop = Workshop::new();
    let root = workshop.path();
    outputs::write_pictures(&root.join("photos"));
    let resumed = begun.replace("--config small.toml", "--resume --epochs 3");
    // All checkpoints are kept, so that there is an older one than the damaged one.
    train(root, &format!("{begun} --epochs 2 --run run --set checkpoint.keep=0")).ok();
    copy_folder(&root.join("run"), &root.join("uncut"));
    train(root, &format!("{resumed} --run uncut")).ok();
    // A link may point to another run's checkpoints.
    copy_folder(&root.join("run"), &root.join("precious"));
    let mut wrong = Vec::new();
    let mut cases = 0;
    for file in files {
        for planted in ALL {
            let evil = root.join("evil");
            let outside = root.join("outside");
            copy_folder(&root.join("run"), &evil);
            fs::create_dir(&outside).unwrap();
            let path = evil.join(file);
            if path.symlink_metadata().is_err() {
                fs::write(&path, r#"{"attempt": 3, "seed": 1, "metrics_bytes": 0}"#).unwrap();
            }
            if planted.plant(&path, &outside) {
                cases += 1;
                let found = check(root, expected(file, planted), [begun, &resumed]);
                wrong.extend(found.map(|flaw| format!("{planted:?} of {file}: {flaw}")));
            }
            fs::remove_dir_all(evil).unwrap();
            fs::remove_dir_all(outside).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases > files.len() * 5, "{cases}");
}

/// Resumes, starts, evaluates and reports the run `evil`, and returns what is wrong.
fn check(root: &Path, expected: Outcome, [begun, resumed]: [&str; 2]) -> Option<String> {
    let (evil, outside) = (root.join("evil"), root.join("outside"));
    let others =
        || [&outside, &root.join("precious"), &root.join("data")].map(|path| contents(path));
    let (before, before_outside) = (contents(&evil), others());
    let changed = |what: &str| {
        (others() != before_outside).then(|| format!("{what} changed what is outside"))
    };
    // A new run is rejected there before anything is written.
    let begun = train(root, &format!("{begun} --run evil"));
    if begun.code != Some(1) || contents(&evil) != before {
        return Some(format!("a new run: {:?}, {}", begun.code, begun.stderr));
    }
    for line in ["eval --checkpoint evil", "compare evil"] {
        let found = nin(root, &words(line));
        if let Some(flaw) = flaw(&found) {
            return Some(format!("{line} {flaw}"));
        }
        if contents(&evil) != before {
            return Some(format!("{line} changed the run"));
        }
    }
    let resumed = train(root, &format!("{resumed} --run evil --set checkpoint.keep=1"));
    let outcome = match (flaw(&resumed), resumed.code) {
        (Some(flaw), _) => return Some(flaw),
        (None, Some(0)) => SameBits,
        _ => Refused,
    };
    if outcome != expected {
        return Some(format!("{outcome:?} instead of {expected:?}: {}", resumed.stderr));
    }
    if outcome == SameBits && weights(&evil) != weights(&root.join("uncut")) {
        return Some("it went on to other weights".to_owned());
    }
    if outcome == Refused && contents(&evil) != before {
        return Some("it was refused, and had written before".to_owned());
    }
    let reported = nin(root, &words("report evil --backend flex"));
    flaw(&reported).or_else(|| changed("a training or a report"))
}

#[test]
fn files_planted_in_a_data_folder_change_nothing_outside() {
    let workshop = Workshop::new();
    let data = workshop.path().join("data");
    fs::write(data.join("classes.txt"), "square\nbar\ncross\n").unwrap();
    let mut files: Vec<String> = fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files.len(), 5);
    plant_in_data(workshop.path(), &data, &files, "--config small.toml");
}

#[test]
fn files_planted_among_pictures_change_nothing_outside() {
    let workshop = Workshop::new();
    let data = workshop.path().join("photos");
    outputs::write_pictures(&data);
    let mut rows = vec!["path,label".to_owned()];
    let mut first = None;
    for class in fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()) {
        let label = class.file_name().unwrap().to_str().unwrap();
        for picture in fs::read_dir(&class).unwrap().map(|entry| entry.unwrap().path()) {
            let path = picture.strip_prefix(&data).unwrap().to_str().unwrap().to_owned();
            rows.push(format!("{path},{label}"));
            first.get_or_insert(path);
        }
    }
    fs::write(data.join("labels.csv"), rows.join("\n") + "\n").unwrap();
    let begun = "--config small.toml --set data.dataset=photos --set data.input_size=20";
    plant_in_data(workshop.path(), &data, &[first.unwrap(), "labels.csv".to_owned()], begun);
}

fn plant_in_data(root: &Path, data: &Path, files: &[String], begun: &str) {
    let mut wrong = Vec::new();
    for name in files {
        for planted in ALL {
            let (evil, outside) = (root.join("evil"), root.join("outside"));
            copy_folder(data, &evil);
            fs::create_dir(&outside).unwrap();
            assert!(planted.plant(&evil.join(name), &outside));
            let before = (contents(&evil), contents(&outside));
            let line = format!("train {begun} --data evil --epochs 1 --run run {OPTIONS}");
            for line in [line.as_str(), "data check evil"] {
                let finished = nin(root, &words(line));
                // `data check` prints the problems of a data set and exits with 1, without a hint.
                let flaw = if line.starts_with("data") { None } else { flaw(&finished) };
                wrong.extend(flaw.map(|flaw| format!("{planted:?} of {name}: {flaw}")));
                assert_ne!(finished.code, Some(124), "{planted:?} of {name}: {line} waits");
            }
            if (contents(&evil), contents(&outside)) != before {
                wrong.push(format!("{planted:?} of {name}: something changed"));
            }
            for path in [evil, outside, root.join("run")] {
                let _ = fs::remove_dir_all(path);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
