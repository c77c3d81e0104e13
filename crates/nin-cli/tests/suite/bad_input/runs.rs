//! Folders of runs.

use std::fs;
use std::path::Path;

use super::{Case, edit};
use crate::program::{nin, write_shapes};

const TRAIN: [&str; 9] =
    ["train", "--data", ".", "--dataset", "shapes", "--epochs", "1", "--run", "run"];

/// A finished run in `run`, then damaged.
fn after_a_run(
    damage: impl Fn(&Path) + 'static,
    arguments: &[&'static str],
    expected: &[&'static str],
) -> Case {
    let prepare = move |folder: &Path| {
        write_shapes(folder, 28, 30, 9);
        nin(folder, &TRAIN).ok();
        damage(&folder.join("run"));
    };
    Case::after(prepare, arguments, expected)
}

/// Changes one byte in the middle of a file.
fn flip(path: &Path) {
    edit(path, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
}

pub(super) fn cases() -> Vec<Case> {
    let train = |more: &[&'static str]| [&TRAIN[..], more].concat();
    vec![
        after_a_run(|_| {}, &TRAIN, &["`run` holds a run already", "--resume"]),
        after_a_run(
            |_| {},
            &train(&["--resume", "--set", "optimizer.weight_decay=0.125"]),
            &[
                "the recipe differs from that of the run `run` in `optimizer.weight_decay` (0.01, now 0.125)",
            ],
        ),
        after_a_run(
            |run| flip(&run.join("checkpoints/latest/model.safetensors")),
            &["eval", "--checkpoint", "run", "--data", "."],
            &["model.safetensors` is damaged: expected SHA-256"],
        ),
        after_a_run(
            |run| fs::write(run.join("recipe.toml"), "nonsense = 1").unwrap(),
            &["train", "--run", "run", "--resume", "--data", "."],
            &["unknown key `nonsense` in `run/recipe.toml`"],
        ),
        Case::after(
            |folder| {
                fs::create_dir(folder.join("run")).unwrap();
                fs::write(folder.join("run/letter.txt"), "dear").unwrap();
            },
            &["train", "--run", "run"],
            &["`run` is not empty and holds no run"],
        ),
        Case::after(
            |folder| fs::write(folder.join("run"), "text").unwrap(),
            &["train", "--run", "run"],
            &["cannot create `run`"],
        ),
        Case::new(&["train", "--run", "/proc/run"], &["cannot create `/proc/run`"]),
        Case::new(&["train", "--run", "nowhere", "--resume"], &["nowhere"]),
        Case::new(&["train", "--resume"], &["there is no run of `quickstart` to resume", "--run"]),
    ]
}
